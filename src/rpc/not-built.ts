/** Methods of the contract that are not built: they answer NOT_BUILT to whoever may call them. */
import type { Access } from './access.ts'

export const NOT_BUILT_METHODS: Readonly<Record<string, Access>> = {
  'content.publish': 'write',
  'pin.add': 'pin',
  'pin.rm': 'pin',
  'pin.list': 'read or pin',
  'pin.status': 'read or pin',
  'pin.policy': 'pin',
  'gc.run': 'admin',
  'swarm.create': 'swarm',
  'swarm.share': 'swarm',
  'swarm.invites': 'read or swarm',
  'swarm.accept': 'swarm',
  'swarm.list': 'read or swarm',
  'swarm.members': 'read or swarm',
  'swarm.rotate': 'swarm',
  'swarm.leave': 'swarm',
  'swarm.export': 'swarm',
  'swarm.import': 'swarm',
  'swarm.diagnose': 'swarm'
}
