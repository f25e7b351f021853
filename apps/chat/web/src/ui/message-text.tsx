import { pieces } from '../text/links.js'

/** What a user wrote is only ever put into text nodes; links open outside and tell nothing about this page. */
export function MessageText({ text, user }: { text: string; user: string }) {
  return (
    <>
      {pieces(text).map((piece, index) => {
        if (piece.kind === 'link') {
          return (
            <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
              {piece.text}
            </a>
          )
        }
        if (piece.kind === 'mention') {
          const me = piece.text.slice(1).normalize('NFC') === user
          return (
            <span key={index} class={me ? 'mention me' : 'mention'}>
              {piece.text}
            </span>
          )
        }
        return piece.text
      })}
    </>
  )
}
