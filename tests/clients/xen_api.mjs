// Drives Xen Orchestra's client: node xen_api.mjs PATH-OF-XEND

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'xen-api'
import { Daemon } from './daemon.mjs'

const MIB = 1024 * 1024
const MAC = '00:16:3e:12:34:56'

// Time limit for an expected event.
const PATIENCE = 20_000

const step = name => console.log(`ok ${name}`)

// The object that satisfies `test`, once an event has reported it.
function until(xapi, what, test) {
  const found = () => Object.values(xapi.objects.all).find(test)
  return new Promise((resolve, reject) => {
    const { objects } = xapi
    const clean = () => {
      clearTimeout(timer)
      for (const event of ['add', 'update', 'remove']) objects.removeListener(event, look)
    }
    const look = () => {
      const object = found()
      if (object !== undefined) {
        clean()
        resolve(object)
      }
    }
    const timer = setTimeout(() => {
      clean()
      reject(new Error(`${what}: no event within ${PATIENCE} ms`))
    }, PATIENCE)
    for (const event of ['add', 'update', 'remove']) objects.on(event, look)
    look()
  })
}

// The client reads an empty string with a type as undefined; libxen (C) needs the type.
const nothing = value => assert.equal(value ?? '', '')

const vm = (name, state) => object =>
  object.$type === 'VM' && object.name_label === name && (state === undefined || object.power_state === state)

async function session(daemon) {
  const client = password => createClient({ url: daemon.api, auth: { user: 'admin', password }, debounce: 50 })

  const refused = client('wrong')
  await assert.rejects(refused.connect(), { code: 'SESSION_AUTHENTICATION_FAILED' })
  step('a wrong password is refused')

  const xapi = client('geheim')
  await xapi.connect()
  assert.equal(xapi.status, 'connected')
  assert.match(xapi.sessionId, /^[0-9a-f-]{36}$/)
  assert.equal(xapi.pool.$type, 'pool')
  step('login')

  await xapi.objectsFetched
  const all = Object.values(xapi.objects.all)
  const types = new Set(all.map(object => object.$type))
  for (const type of ['VM', 'VM_metrics', 'VM_guest_metrics', 'host', 'host_cpu', 'host_metrics', 'SR', 'PBD', 'PIF', 'network', 'cpu_pool', 'pool']) {
    assert(types.has(type), `there is no ${type} among ${[...types]}`)
  }
  const domain0 = all.find(vm('Domain-0', 'Running'))
  assert.equal(domain0.is_control_domain, true)
  const host = all.find(object => object.$type === 'host')
  assert.equal(xapi.pool.master, host.$ref)
  assert.equal(xapi.getObjectByRef(domain0.resident_on), host)
  assert.deepEqual(host.resident_VMs, [domain0.$ref])
  const records = await xapi.getAllRecords('SR')
  assert(records.length > 0)
  for (const record of records) {
    assert.equal(xapi.getObject(record.$ref).name_label, record.name_label)
  }
  step(`all ${all.length} objects of ${types.size} classes`)

  // Another client creates a domain.
  const config = `(vm (name web) (memory 64) (image (linux (kernel /boot/vmlinuz))) (device (vif (mac ${MAC}) (bridge xenbr0))))`
  await daemon.post('/xend/domain', { op: 'create', config })
  const made = await until(xapi, 'a new VM', vm('web', 'Paused'))
  const { $ref: ref } = made
  assert.equal(Number(made.memory_static_max), 64 * MIB)
  assert.equal(await xapi.getField('VM', ref, 'uuid'), made.uuid)
  const vif = await until(xapi, 'its interface', object => object.$type === 'VIF' && object.MAC === MAC)
  assert.equal(vif.VM, ref)
  step('an event tells of a new VM and its interface')

  await daemon.post('/xend/domain/web', { op: 'unpause' })
  const running = await until(xapi, 'a VM that runs', vm('web', 'Running'))
  assert.equal(running.$ref, ref)
  assert.equal(await xapi.call('VM.get_power_state', ref), 'Running')
  step('an event tells of a state')

  const reports = object => object.$ref === running.guest_metrics && object.PV_drivers_detected
  const metrics = await until(xapi, 'a report of the guest', reports)
  assert.equal(metrics.os_version.distro, 'debian')
  assert.equal(metrics.PV_drivers_version.major, '1')
  assert.equal(metrics.networks['0/ip'], metrics.networks['0/ipv4/0'])
  const args = { id: 'a-1', dom_id: String(await xapi.getField('VM', ref, 'domid')), timeout: '30' }
  const response = await xapi.call('host.call_plugin', host.$ref, 'agent.py', 'version', args)
  assert.deepEqual(JSON.parse(response), { returncode: '0', message: '1.0.0' })
  step('an event tells what the guest reports, and its agent answers')

  await xapi.setField('VM', ref, 'name_description', 'ein <Web> & Büro')
  const described = object => object.$ref === ref && object.name_description === 'ein <Web> & Büro'
  await until(xapi, 'a description', described)
  await xapi.setFieldEntry('VM', ref, 'other_config', 'folder', '/a')
  assert.equal((await xapi.getField('VM', ref, 'other_config')).folder, '/a')
  await xapi.setFieldEntry('VM', ref, 'other_config', 'folder', null)
  assert.equal((await xapi.getField('VM', ref, 'other_config')).folder, undefined)
  step('fields are set, and an event tells of it')

  const missing = { code: 'HANDLE_INVALID', params: ['VM', 'nosuch'] }
  await assert.rejects(xapi.call('VM.start', 'nosuch', false, false), error => {
    assert.equal(error.code, 'MESSAGE_PARAMETER_COUNT_MISMATCH')
    return true
  })
  await assert.rejects(xapi.call('VM.pause', 'nosuch'), missing)
  await assert.rejects(xapi.call('VM.no_such', ref), { code: 'MESSAGE_METHOD_UNKNOWN', params: ['VM.no_such'] })
  step('errors have codes and parameters')

  // Tasks, with events at their ends. The client's own callAsync expects XML in a task's result,
  // which xend never sent.
  const ended = async (method, ...args) => {
    const task = await xapi.call(`Async.${method}`, ...args)
    return until(xapi, method, object => object.$ref === task && object.status !== 'pending')
  }
  const paused = await ended('VM.pause', ref)
  assert.deepEqual([paused.$type, paused.name_label, paused.status], ['task', 'VM.pause', 'success'])
  await until(xapi, 'a paused VM', vm('web', 'Paused'))
  const refusal = await ended('VM.start', ref, false)
  assert.deepEqual([refusal.status, refusal.error_info], ['failure', ['VM_BAD_POWER_STATE', ref, 'Halted', 'Paused']])
  nothing(await xapi.call('task.destroy', refusal.$ref))
  await until(xapi, 'the end of a task', () => xapi.getObjectByRef(refusal.$ref, undefined) === undefined)
  step('calls as tasks')

  nothing(await xapi.call('VM.hard_shutdown', ref))
  await until(xapi, 'the end of a VM', () => xapi.getObjectByRef(ref, undefined) === undefined)
  assert.equal(xapi.getObject(vif.$id, undefined), undefined)
  assert.deepEqual(await xapi.call('VM.get_by_name_label', 'web'), [])
  step('an event tells of the end')

  const { sessionId } = xapi
  await xapi.disconnect()
  assert.equal(xapi.status, 'disconnected')
  // It asks for the logout, and does not wait for it.
  const call =
    '<methodCall><methodName>VM.get_all</methodName><params><param><value><string>' +
    `${sessionId}</string></value></param></params></methodCall>`
  const isOver = async () => {
    const answer = await fetch(daemon.api, { method: 'POST', headers: { 'Content-Type': 'text/xml' }, body: call })
    return (await answer.text()).includes('SESSION_INVALID')
  }
  const limit = Date.now() + PATIENCE
  while (!(await isOver())) {
    assert(Date.now() < limit, `the session goes on ${PATIENCE} ms after its logout`)
    await sleep(20)
  }
  const late = createClient({ url: daemon.api, auth: { sessionId }, watchEvents: false })
  await assert.rejects(late.connect(), { code: 'SESSION_INVALID' })
  step('logout')
}

// Warnings of the client are failures, too: it ignores values that it cannot read.
const warnings = []
console.warn = (...words) => warnings.push(words.map(String).join(' '))

const daemon = await Daemon.start(process.argv[2], 'admin', 'geheim')
let failed
try {
  await session(daemon)
  assert.deepEqual(warnings, [])
  assert(!daemon.log().includes('geheim'))
} catch (error) {
  failed = error
  console.error(error, warnings, daemon.log())
}
const status = await daemon.stop()
assert.equal(status, 0, 'the daemon did not stop as it should')
// A disconnected client that waits for an event keeps the process alive.
process.exit(failed === undefined ? 0 : 1)
