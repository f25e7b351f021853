export { type ListenOptions, listen, type RespServer, type ServedEngine } from './server.js'
