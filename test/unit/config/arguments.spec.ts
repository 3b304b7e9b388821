import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { DAEMON_USAGE, parseDaemonArguments } from '../../../src/config/arguments.ts'

describe('arguments of kithd', () => {
  it('choose the home: --home, else KITH_HOME, else ~/.kith', () => {
    assert.equal(parseDaemonArguments(['--home', '/a'], { KITH_HOME: '/b' }).home, '/a')
    assert.equal(parseDaemonArguments(['--home=/a'], {}).home, '/a')
    assert.equal(parseDaemonArguments([], { KITH_HOME: '/b' }).home, '/b')
    assert.equal(parseDaemonArguments([], { KITH_HOME: '' }).home, join(homedir(), '.kith'))
  })

  it('collect every --set', () => {
    const given = parseDaemonArguments(['--set', 'a.b=1', '--json', '--set=c=d=e', '--config', 'f.yaml'], {})
    assert.deepEqual([given.sets, given.json, given.config, given.help], [['a.b=1', 'c=d=e'], true, 'f.yaml', false])
  })

  it('ask for a new identity only when that is said', () => {
    assert.equal(parseDaemonArguments([], {}).newIdentity, false)
    assert.equal(parseDaemonArguments(['--new-identity'], {}).newIdentity, true)
  })

  it('are refused in words, with the nearest option', () => {
    const refused = (argv: string[], message: RegExp): void =>
      assert.throws(() => parseDaemonArguments(argv, {}), { code: 'INVALID_PARAMS', message })
    refused(['--hoem', '/a'], /no option --hoem\. Did you mean "--home"\?/)
    refused(['put'], /takes no "put"; the client is kith/)
    refused(['--home'], /argument missing/)
    refused(['--json=yes'], /does not take an argument/)
    refused(['--home='], /names no directory/)
  })

  it('all stand in the help', () => {
    for (const option of ['--home', '--config', '--set', '--json', '--new-identity', '--version', '--help'])
      assert.ok(DAEMON_USAGE.includes(`  ${option}`))
  })
})
