// The producer as the field writes it, with Express and node-redis and nothing of yeoul: what arrives by HTTP goes into
// field `data` of `user-stream` as JSON. It runs unchanged against `yeoul serve` and against Redis.
import express from 'express'
import { createClient } from 'redis'

const redis = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6390' })
redis.on('error', (error) => console.error('redis:', error.message))
await redis.connect()

const app = express()
app.use(express.json({ limit: '256kb' }))

app.post('/publish', async (request, response) => {
  const id = await redis.xAdd('user-stream', '*', { data: JSON.stringify(request.body) })
  response.json({ id })
})

const server = app.listen(Number(process.env.PORT ?? 3001), '127.0.0.1', () => {
  const address = server.address()
  console.log(`producer on http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`)
})

process.once('SIGTERM', () => {
  server.close(() => redis.destroy())
})
