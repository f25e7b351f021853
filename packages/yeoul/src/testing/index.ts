/** The public list of the testing kit: `import { VirtualClock } from 'yeoul/testing'`. */
export { VirtualClock } from './virtual-clock.js'
