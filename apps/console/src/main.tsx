import { render } from 'preact'
import { App } from './ui/app.js'
import './style/tokens.css'
import './style/console.css'
import './style/tables.css'

render(<App />, document.getElementById('app')!)
