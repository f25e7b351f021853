import { useState } from 'preact/hooks'
import type { FieldView } from '../api.js'
import { pretty } from '../text/format.js'
import { usePage } from './context.js'

/** Fields on one line, for a table; values are text, whatever they hold. */
export function FieldsLine({ fields }: { fields: readonly FieldView[] }) {
  const { t } = usePage()
  return (
    <span class="fields-line">
      {fields.map((field, index) => (
        <span key={index}>
          <b>{field.name}</b> {field.base64 && <span class="tag">{t('dead.base64')}</span>}
          {field.value}
        </span>
      ))}
    </span>
  )
}

export function FieldsBlock({ fields }: { fields: readonly FieldView[] }) {
  const { t } = usePage()
  const [raw, setRaw] = useState(false)
  const formatted = fields.some((field) => !field.base64 && pretty(field.value) !== field.value)
  return (
    <>
      {formatted && (
        <div class="segmented">
          <button type="button" aria-pressed={!raw} onClick={() => setRaw(false)}>
            {t('dead.pretty')}
          </button>
          <button type="button" aria-pressed={raw} onClick={() => setRaw(true)}>
            {t('dead.raw')}
          </button>
        </div>
      )}
      <dl class="fields">
        {fields.map((field, index) => (
          <div key={index}>
            <dt>
              {field.name} {field.base64 && <span class="tag">{t('dead.base64')}</span>}
            </dt>
            <dd>
              <pre>{raw || field.base64 ? field.value : pretty(field.value)}</pre>
            </dd>
          </div>
        ))}
      </dl>
    </>
  )
}
