/** The methods `trust.*`. */

export const trustMethods = {}
