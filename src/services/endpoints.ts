/** The places outside Kith as `daemon.status` shows them. */
import type { Ms } from '../model/units.ts'
import type { EndpointHealth } from './node-services.ts'

interface Embedded {
  unavailable(): string | undefined
}

export interface GatewayEndpoint {
  health(): {
    readonly url: string
    readonly healthy: boolean
    readonly lastCheck: Ms | null
    readonly responseTime: Ms | null
    readonly error?: string
  }
}

export function endpointsOf(embedded: Embedded | undefined, gateways: readonly GatewayEndpoint[]): EndpointHealth[] {
  const inside: EndpointHealth[] =
    embedded === undefined
      ? []
      : [{ url: 'embedded', type: 'helia', healthy: embedded.unavailable() === undefined, lastCheck: null, responseTime: null }]
  return [
    ...inside,
    ...gateways.map(gateway => {
      const { lastCheck, ...health } = gateway.health()
      return { ...health, type: 'gateway', lastCheck: lastCheck === null ? null : new Date(lastCheck).toISOString() }
    })
  ]
}
