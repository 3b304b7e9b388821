/** The version of this package and of the API it speaks. Kept equal to package.json by test/docs.spec.ts. */
export const VERSION = '0.1.0'
