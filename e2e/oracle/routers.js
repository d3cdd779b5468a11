'use strict'
// Three usual routers at their defaults, each with the three routes that create
// messages. Every answer says in headers which URL the server read and, when a
// handler of such a route ran, which one and with which id; the control server
// says how often handlers ran for a conversation. One line on stdout says where
// they listen; the end of stdin ends them.

const express = require('express')
const fastify = require('fastify')
const http = require('http')
const Koa = require('koa')
const Router = require('@koa/router')

const paths = {
  messages: '/v2/messages',
  conversation_messages: '/v2/conversations/:id/messages',
  conversations: '/v2/conversations'
}

const encode = (text) => Buffer.from(text).toString('base64')

// hits counts the requests that reached a handler of messages in an existing
// conversation, by router and conversation. The database reads the hex digits of
// an id in either case.
const hits = { express: {}, koa: {}, fastify: {} }

// hit is what every handler does. A conversation in the body is named in a header
// as well, so that no reading of bodies enters into this. An answer of 200 to a
// new conversation says that its messages went into an existing one.
function hit (router, route, id, req, res) {
  const conversation = id === undefined ? req.headers['x-conversation'] || '' : id
  const key = conversation.toLowerCase()
  if (route !== 'conversations') hits[router][key] = (hits[router][key] || 0) + 1
  res.setHeader('X-Oracle-Hit', encode(JSON.stringify({ route, conversation })))
  return { status: route === 'conversations' ? 200 : 201, body: { id: conversation, text: 'created' } }
}

const showURL = (req, res) => res.setHeader('X-Oracle-Url', encode(req.url))

const startExpress = () => {
  const app = express()
  for (const route in paths) {
    app.post(paths[route], (req, res) => {
      const answer = hit('express', route, req.params.id, req, res)
      res.status(answer.status).json(answer.body)
    })
  }
  return http.createServer(app)
}

const startKoa = () => {
  const app = new Koa()
  const router = new (Router.default || Router)()
  for (const route in paths) {
    router.post(paths[route], (ctx) => {
      const answer = hit('koa', route, ctx.params.id, ctx.req, ctx.res)
      ctx.status = answer.status
      ctx.body = answer.body
    })
  }
  app.use(router.routes())
  app.silent = true
  return http.createServer(app.callback())
}

const startFastify = async () => {
  const app = fastify()
  for (const route in paths) {
    app.post(paths[route], (request, reply) => {
      const answer = hit('fastify', route, request.params.id, request.raw, reply.raw)
      reply.code(answer.status).send(answer.body)
    })
  }
  await app.ready()
  return app.server
}

const control = () => http.createServer((req, res) => {
  const [, router, conversation] = req.url.split('/')
  res.end(String(hits[router][conversation] || 0))
})

async function main () {
  const servers = { express: startExpress(), koa: startKoa(), fastify: await startFastify(), control: control() }
  const addresses = {}
  for (const name in servers) {
    if (name !== 'control') servers[name].prependListener('request', showURL)
    await new Promise((resolve) => servers[name].listen(0, '127.0.0.1', resolve))
    addresses[name] = '127.0.0.1:' + servers[name].address().port
  }
  console.log(JSON.stringify(addresses))
  process.stdin.on('end', () => process.exit(0)).resume()
}

main()
