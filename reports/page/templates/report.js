/* Makes the page better, not possible: hover, highlighting, theme, copy and download. No request, no library. */
/* global document, window, URL, Blob, DecompressionStream, Response, atob, navigator, location, localStorage */
;(function () {
  'use strict'
  const root = document.documentElement
  root.classList.add('js')
  const all = (selector, from) => Array.from((from || document).querySelectorAll(selector))
  const json = (id) => {
    const element = document.getElementById(id)
    return element ? JSON.parse(element.textContent) : undefined
  }
  const element = (name, text, properties) =>
    Object.assign(document.createElement(name), { textContent: text }, properties)

  // ------------------------------------------------------------ theme
  const remember = (theme) => {
    try {
      if (theme) localStorage.setItem('meshbench-theme', theme)
      return localStorage.getItem('meshbench-theme')
    } catch {
      return undefined // Pages opened from a file may have no storage.
    }
  }
  const dark = () =>
    root.dataset.theme
      ? root.dataset.theme === 'dark'
      : window.matchMedia('(prefers-color-scheme: dark)').matches
  const saved = remember()
  if (saved === 'dark' || saved === 'light') root.dataset.theme = saved
  const tools = document.getElementById('tools')
  if (tools) {
    const toggle = element('button', '', { type: 'button' })
    const label = () => (toggle.textContent = dark() ? 'Light' : 'Dark')
    toggle.addEventListener('click', () => {
      root.dataset.theme = dark() ? 'light' : 'dark'
      remember(root.dataset.theme)
      label()
    })
    label()
    tools.append(toggle)
  }

  // ------------------------------------------------------------ tips
  const tip = element('div', '', { id: 'tip', hidden: true })
  tip.setAttribute('role', 'tooltip')
  document.body.append(tip)
  // Native titles are for readers without script; both at once would cover one another.
  for (const title of all('svg title')) {
    title.parentNode.dataset.tip = title.textContent
    title.remove()
  }
  const legend = json('figure-legend') || { methods: [], cells: [], names: [] }
  const explain = (figure) => {
    const d = figure.dataset
    const cells = d.cells ? d.cells.split(' ').map((index) => legend.cells[Number(index)]) : []
    return [
      legend.names[Number(d.name)],
      d.beyond
        ? `${d.beyond} ${figure.value} ${d.unit}`
        : `${figure.value}, ${d.low} to ${d.high} ${d.unit} at ${Number(d.level || 0.95) * 100} %`,
      `n = ${d.n} rounds, ${legend.methods[Number(d.method)]}`,
      `from ${cells.join('\n   and ')}`,
    ].join('\n')
  }
  const trialCells = json('trial-cells') || []
  let pinned = false
  const show = (text, x, y) => {
    tip.textContent = text
    tip.hidden = false
    const box = tip.getBoundingClientRect()
    tip.style.left = `${Math.max(8, Math.min(x + 12, window.innerWidth - box.width - 8))}px`
    tip.style.top = `${y + 18 + box.height > window.innerHeight ? Math.max(8, y - box.height - 12) : y + 18}px`
  }
  const hide = () => {
    tip.hidden = true
    pinned = false
  }
  // A figure that was clicked stays explained, with a link to the trials that it was computed from.
  const pin = (figure, x, y) => {
    show(explain(figure), x, y)
    pinned = true
    const cells = new Set(figure.dataset.cells.split(' ').map((index) => legend.cells[Number(index)]))
    const rows = all('#all-trials tr[data-cell]').filter((row) =>
      cells.has(trialCells[Number(row.dataset.cell)]),
    )
    if (rows.length === 0) return
    const link = element('a', `its ${rows.length} trials`, { href: '#all-trials' })
    link.addEventListener('click', () => {
      for (const row of all('#all-trials tr.behind')) row.classList.remove('behind')
      for (const row of rows) row.classList.add('behind')
      hide()
      open(rows[0])
      rows[0].scrollIntoView({ block: 'center' })
    })
    tip.append('\n', link)
  }
  const textFor = (target) => {
    const figure = target.closest('.fig')
    if (figure) return explain(figure)
    const mark = target.closest('[data-tip]')
    return mark ? mark.dataset.tip : undefined
  }
  document.addEventListener('pointermove', (event) => {
    if (pinned || !(event.target instanceof window.Element)) return
    const text = textFor(event.target)
    if (text) show(text, event.clientX, event.clientY)
    else tip.hidden = true
  })
  document.addEventListener('focusin', (event) => {
    const figure = event.target.closest('.fig')
    if (!figure) return
    const box = figure.getBoundingClientRect()
    show(explain(figure), box.left, box.bottom - 12)
  })
  document.addEventListener('focusout', (event) => {
    if (!tip.contains(event.relatedTarget)) hide()
  })
  document.addEventListener('keydown', (event) => {
    const figure = event.key === 'Enter' && event.target.closest && event.target.closest('.fig')
    if (figure) {
      const box = figure.getBoundingClientRect()
      pin(figure, box.left, box.bottom - 12)
      const link = tip.querySelector('a')
      if (link) link.focus()
    }
    if (event.key === 'Escape') {
      hide()
      highlight(undefined)
    }
  })
  // Figures in prose and in the first table can be reached by keyboard; the rest by arrow keys from there.
  const figures = all('.fig')
  for (const figure of figures) figure.tabIndex = figure.closest('h1, .picture, .finding, .trust') ? 0 : -1
  document.addEventListener('keydown', (event) => {
    const at = figures.indexOf(document.activeElement)
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (at < 0 || step === undefined) return
    const next = figures[at + step]
    if (next) {
      next.focus()
      event.preventDefault()
    }
  })

  // ------------------------------------------------------------ highlighting an arm everywhere
  let chosen
  const marked = all('svg [data-arm], .prow[data-arm], .path[data-arm]').filter((element) =>
    /^a\d+$/.test(element.dataset.arm),
  )
  function highlight(arm) {
    chosen = arm === chosen ? undefined : arm
    for (const element of marked)
      element.classList.toggle('dimmed', chosen !== undefined && element.dataset.arm !== chosen)
    for (const button of all('#arm-picker button'))
      button.setAttribute('aria-pressed', String(button.value === chosen))
  }
  document.addEventListener('click', (event) => {
    if (!(event.target instanceof window.Element)) return
    const figure = event.target.closest('.fig')
    if (figure) {
      pin(figure, event.clientX, event.clientY)
      return
    }
    if (event.target.closest('#tip')) return
    hide()
    const mark = event.target.closest('.arm[data-arm], svg [data-arm]')
    if (mark && /^a\d+$/.test(mark.dataset.arm)) highlight(mark.dataset.arm)
    else if (chosen && !event.target.closest('a, button, summary, table, input, select')) highlight(undefined)
  })
  const picker = document.getElementById('arm-picker')
  const names = new Map(all('.picture .subject .arm').map((element) => [element.dataset.arm, element]))
  if (picker && names.size > 1) {
    picker.append(element('p', 'Highlight'))
    for (const [key, source] of names) {
      const button = element('button', '', { type: 'button', value: key })
      button.setAttribute('aria-pressed', 'false')
      const label = element('span', source.textContent, { className: 'arm' })
      label.style.setProperty('--c', source.style.getPropertyValue('--c'))
      button.append(label)
      button.addEventListener('click', () => highlight(key))
      picker.append(button)
    }
  }

  // ------------------------------------------------------------ contents follow the reader
  const links = new Map(all('.toc a').map((link) => [link.hash.slice(1), link]))
  if (window.IntersectionObserver && links.size > 0) {
    const observer = new window.IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue
          for (const [id, link] of links) link.classList.toggle('here', id === entry.target.id)
        }
      },
      { rootMargin: '-10% 0px -80% 0px' },
    )
    for (const section of all('main > section')) observer.observe(section)
  }

  // ------------------------------------------------------------ copy and download
  const command = document.getElementById('command')
  if (command && navigator.clipboard) {
    const button = element('button', 'Copy', { type: 'button' })
    button.addEventListener('click', () => {
      navigator.clipboard.writeText(command.textContent.trim()).then(
        () => (button.textContent = 'Copied'),
        () => (button.textContent = 'Copying is not allowed here'),
      )
    })
    command.after(button)
  }
  const unpack = ({ analysis, columns, csv }) => {
    const fields = Object.entries(columns)
    const trialAt = (_, at) =>
      Object.fromEntries(fields.flatMap(([field, all]) => (all[at] === null ? [] : [[field, all[at]]])))
    return { analysis: { ...analysis, trials: (columns.index ?? []).map(trialAt) }, csv }
  }
  const csvOf = ({ trials }, columns) => {
    // A leading =, +, - or @ would be run as a formula by spreadsheets.
    const cell = (value) => {
      if (value === undefined || value === '') return ''
      if (typeof value === 'number') return String(value)
      const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
      return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
    }
    const reasonsOf = ({ reasons, error }) =>
      [...reasons, ...(error ? [`${error.kind}: ${error.message}`] : [])].join('; ')
    const rows = trials.map((trial) => [...columns.map(([field]) => trial[field]), reasonsOf(trial)])
    const heading = [...columns.map(([, name]) => name), 'reasons']
    return [heading.join(','), ...rows.map((row) => row.map(cell).join(',')), ''].join('\r\n')
  }
  const downloads = document.getElementById('downloads')
  const packed = json('analysis-data')
  const inflate = async () => {
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0))
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
    return unpack(await new Response(stream).json())
  }
  if (downloads && packed && 'DecompressionStream' in window) {
    const offer = (label, name, type, make) => {
      const button = element('button', label, { type: 'button' })
      button.addEventListener('click', async () => {
        const url = URL.createObjectURL(new Blob([make(await inflate())], { type }))
        const link = element('a', '', { href: url, download: name })
        link.click()
        URL.revokeObjectURL(url)
      })
      downloads.append(button, ' ')
    }
    offer('Download analysis.json', 'analysis.json', 'application/json', ({ analysis }) =>
      JSON.stringify(analysis, null, 2),
    )
    offer('Download trials.csv', 'trials.csv', 'text/csv', ({ analysis, csv }) => csvOf(analysis, csv))
  }

  // A link into a closed part opens it.
  const open = (target) => {
    for (let element = target; element; element = element.parentElement)
      if (element.tagName === 'DETAILS') element.open = true
  }
  const follow = () => open(document.getElementById(decodeURIComponent(location.hash.slice(1))))
  if (location.hash) follow()
  window.addEventListener('hashchange', follow)
})()
