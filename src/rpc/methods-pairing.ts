/** The methods `peers.invite`, `peers.join` and `content.share`. */

export const pairingMethods = {}
