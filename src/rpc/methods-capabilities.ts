/** The methods `adverts.publish` and `capabilities.query`. */

export const capabilityMethods = {}
