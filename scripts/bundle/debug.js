/** Stands for `debug` in the bundled command, whose log is its own: `DEBUG=ioredis:*` would print what is sent to Redis. */
export default () => Object.assign(() => {}, { enabled: false })
