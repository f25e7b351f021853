import type { ComponentChildren } from 'preact'
import { Icon } from './icons.js'

export function PanelFrame(props: {
  title: string
  closeLabel: string
  onClose: () => void
  children: ComponentChildren
}) {
  return (
    <aside
      class="panel"
      aria-label={props.title}
      onKeyDown={(event) => event.key === 'Escape' && !event.isComposing && props.onClose()}
    >
      <header class="panel-header">
        <h2>{props.title}</h2>
        <button
          type="button"
          class="icon-button"
          aria-label={props.closeLabel}
          title={props.closeLabel}
          onClick={props.onClose}
        >
          <Icon name="close" />
        </button>
      </header>
      <div class="panel-body">{props.children}</div>
    </aside>
  )
}
