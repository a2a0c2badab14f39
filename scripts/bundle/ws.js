/** Stands for `ws` in the bundled command: its endpoints accept no WebSocket. */
export class WebSocketServer {
  handleUpgrade(_request, socket) {
    socket.destroy()
  }

  close(done) {
    done()
  }
}

export class WebSocket {}
