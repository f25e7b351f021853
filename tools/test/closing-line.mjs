// Ends the run with one plain line, `N passed, N failed`, for people and scripts. A file that does not load and an
// error outside any test count as failed. Skips are listed with what they say, because a skip must have a reason.
export default class ClosingLine {
  onTestRunEnd(modules, errors) {
    let passed = 0
    let failed = errors.length
    let skipped = 0
    const reasons = new Map()
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') passed++
        else if (result.state === 'failed') failed++
        else {
          skipped++
          const reason = result.note ?? 'no reason given'
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
        }
      }
    }
    process.on('exit', () => {
      for (const [reason, count] of reasons) process.stdout.write(`skipped ${count}: ${reason}\n`)
      process.stdout.write(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}\n`)
    })
  }
}
