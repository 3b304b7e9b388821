/** The methods `pubsub.*`. */

export const pubsubMethods = {}
