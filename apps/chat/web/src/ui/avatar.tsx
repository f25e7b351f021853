/** First letter on a colour that stays with the name. */
export function Avatar({ name, size = 36, online }: { name: string; size?: number; online?: boolean }) {
  return (
    <span
      class={`avatar hue-${hue(name)}`}
      style={{ width: `${size}px`, height: `${size}px`, fontSize: `${size * 0.42}px` }}
      aria-hidden="true"
    >
      {Array.from(name)[0]?.toUpperCase() ?? '?'}
      {online && <span class="avatar-online" />}
    </span>
  )
}

function hue(name: string): number {
  let hash = 0
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) >>> 0
  return hash % 8
}
