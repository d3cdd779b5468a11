'use strict'
// Three upstreams that read messages with usual body parsers: Express with the
// parsers that applications mount, at their defaults; Express with a parser that
// takes anything for JSON; Fastify with its own. Every answer says which messages
// were read, and the control server which content was read how often in a
// conversation. One line on stdout says where they listen; the end of stdin ends
// them.

const express = require('express')
const fastify = require('fastify')
const http = require('http')

// counts holds, for each reader, how often a content was read in a conversation.
const counts = { express: {}, eager: {}, fastify: {} }

// write is JSON.stringify, but for numbers beyond a double, of which it makes null,
// and for -0, of which it makes 0.
function write (value) {
  if (value === Infinity) return '1e999'
  if (value === -Infinity) return '-1e999'
  if (Object.is(value, -0)) return '-0'
  if (Array.isArray(value)) return '[' + value.map(write).join(',') + ']'
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return '{' + Object.keys(value).sort().map((key) => JSON.stringify(key) + ':' + write(value[key])).join(',') + '}'
}

// read lists the messages of a body: the objects that have a text. The
// conversation is no content, and neither is a delay. A message without a
// conversation goes where the path says.
function read (body, id) {
  const messages = []
  for (const m of Array.isArray(body) ? body : [body]) {
    if (m === null || typeof m !== 'object' || Array.isArray(m) || m.text === undefined) continue
    const { conversation, delay, ...content } = m
    const place = id !== undefined ? id : conversation
    messages.push({ conversation: place === undefined ? '' : write(place), content: write(content) })
  }
  return messages
}

// answer is what every handler does. A new conversation is answered as one that
// exists already: with 200 and its id, which the client names in a header.
function answer (reader, route, body, id, headers) {
  const embedded = route === 'conversations'
  const messages = embedded ? read(body && body.messages, headers['x-conversation']) : read(body, id)
  for (const m of messages) {
    const key = m.conversation.toLowerCase() + ' ' + m.content
    if (!embedded) counts[reader][key] = (counts[reader][key] || 0) + 1
  }
  return { status: embedded ? 200 : 201, body: { id: headers['x-conversation'], read: messages } }
}

const paths = {
  messages: '/v2/messages',
  conversation_messages: '/v2/conversations/:id/messages',
  conversations: '/v2/conversations'
}

const startExpress = (reader, ...parsers) => {
  const app = express()
  for (const parser of parsers) app.use(parser)
  for (const route in paths) {
    app.post(paths[route], (req, res) => {
      const a = answer(reader, route, req.body, req.params.id, req.headers)
      res.status(a.status).json(a.body)
    })
  }
  app.use((err, req, res, next) => res.status(err.status || 500).json({ message: 'not understood' }))
  return http.createServer(app)
}

const startFastify = async () => {
  const app = fastify()
  for (const route in paths) {
    app.post(paths[route], (request, reply) => {
      const a = answer('fastify', route, request.body, request.params.id, request.headers)
      reply.code(a.status).send(a.body)
    })
  }
  await app.ready()
  return app.server
}

// The control server tells the content that was read most often.
const control = () => http.createServer((req, res) => {
  let most = ['', 0]
  for (const entry of Object.entries(counts[req.url.slice(1)])) {
    if (entry[1] > most[1]) most = entry
  }
  res.end(JSON.stringify({ what: most[0], times: most[1] }))
})

async function main () {
  const servers = {
    express: startExpress('express', express.json(), express.urlencoded({ extended: true }), express.text()),
    eager: startExpress('eager', express.json({ type: () => true, strict: false, limit: '2mb' })),
    fastify: await startFastify(),
    control: control()
  }
  const addresses = {}
  for (const name in servers) {
    await new Promise((resolve) => servers[name].listen(0, '127.0.0.1', resolve))
    addresses[name] = '127.0.0.1:' + servers[name].address().port
  }
  console.log(JSON.stringify(addresses))
  process.stdin.on('end', () => process.exit(0)).resume()
}

main()
