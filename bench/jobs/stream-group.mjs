/** Jobs of group `bench` on stream `jobs` that are not acknowledged. */
export async function unfinishedIn(client) {
  const groups = await client.xInfoGroups('jobs')
  return groups.length === 0 ? undefined : Number(groups[0].lag) + Number(groups[0].pending)
}

export async function ensureGroup(client) {
  try {
    await client.xGroupCreate('jobs', 'bench', '0', { MKSTREAM: true })
  } catch (error) {
    if (!String(error.message).startsWith('BUSYGROUP')) throw error
  }
}
