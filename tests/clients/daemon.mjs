// A daemon on a simulated host, with HTTP requests of another client.

import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export class Daemon {
  // `user` may log in to the Xen-API with `password`, over TCP.
  static async start(program, user, password) {
    const folder = mkdtempSync(join(tmpdir(), 'xend-clients-'))
    writeFileSync(join(folder, 'passwords'), await hashed(program, user, password), { mode: 0o600 })
    const config = `(xen-api-server ((127.0.0.1:0 password))) (xend-password-file ${join(folder, 'passwords')})`
    writeFileSync(join(folder, 'config.sxp'), config)
    const options = ['--http', '127.0.0.1:0', '--config', join(folder, 'config.sxp'), '--state-dir', join(folder, 'state')]
    options.push('--unix', join(folder, 'http'))
    const log = openSync(join(folder, 'log'), 'a')
    const process = spawn(program, options, { stdio: ['ignore', 'pipe', log] })
    const daemon = new Daemon()
    Object.assign(daemon, { folder, process })
    for await (const line of createInterface({ input: process.stdout })) {
      daemon.api = /^Xen-API on (http:\S+)/.exec(line)?.[1] ?? daemon.api
      daemon.http = /^Listening on (http:\S+)/.exec(line)?.[1]
      if (daemon.http !== undefined) return daemon
    }
    throw new Error(`the daemon did not start: ${daemon.log()}`)
  }

  log() {
    return readFileSync(join(this.folder, 'log'), 'utf8')
  }

  // An operation over HTTP, as another client of the same host.
  async post(path, form) {
    const answer = await fetch(new URL(path, this.http), {
      method: 'POST',
      headers: { Accept: 'application/sxp' },
      body: new URLSearchParams(form),
    })
    const body = await answer.text()
    if (!answer.ok) throw new Error(`${path} ${form.op}: ${answer.status} ${body}`)
    return body
  }

  // Its exit status.
  async stop() {
    const ended = new Promise(resolve => this.process.once('exit', resolve))
    this.process.kill('SIGTERM')
    const status = await ended
    rmSync(this.folder, { recursive: true })
    return status
  }
}

function hashed(program, user, password) {
  return new Promise((resolve, reject) => {
    const process = spawn(program, ['password', user], { stdio: ['pipe', 'pipe', 'inherit'] })
    let line = ''
    process.stdout.on('data', data => (line += data))
    process.on('exit', status => (status === 0 ? resolve(line) : reject(new Error(`xend password: ${status}`))))
    process.stdin.end(`${password}\n`)
  })
}
