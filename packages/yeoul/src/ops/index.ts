/** Operations: everything to look at and operate a yeoul from outside. The public list of `yeoul/ops`. */
export type * from './api.js'
export { Operations, type OperationsOptions } from './http.js'
export { ReadModel } from './read-model.js'
