/** The methods `route.*`. */

export const routeMethods = {}
