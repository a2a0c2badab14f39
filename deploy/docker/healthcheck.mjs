// Exit status 0 while the service lives: for images without a shell or curl. Another path can be given: /health/ready.
const port = process.env.HTTP_PORT || "9464"
const path = process.argv[2] ?? "/health/live"
try {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(3_000) })
  process.exitCode = response.ok ? 0 : 1
} catch {
  process.exitCode = 1
}
