// What makes the picture move: zoom, search, flip, details.  Every frame is a <g> that carries data-x and data-w (fractions of the whole),
// data-d (depth from the root), data-n (name), data-v (value) and perhaps data-m (where the code is) and data-c (change in percent points).
(() => {
	const svg = document.documentElement, ns = 'http://www.w3.org/2000/svg';
	const at = id => document.getElementById(id);
	const num = (e, k) => +e.getAttribute('data-' + k);
	const row = 17, top = 58, bottom = 30, pad = 10, glyph = 6.7;
	const total = num(svg, 'total'), depth = num(svg, 'depth'), unit = svg.getAttribute('data-unit');
	let icicle = svg.getAttribute('data-icicle') === '1', width = 1200, found = null;
	const frames = [...at('frames').children].map(g => ({
		g, rect: g.querySelector('rect'), text: g.querySelector('text'), x: num(g, 'x'), w: num(g, 'w'), d: num(g, 'd'),
		n: g.getAttribute('data-n'), v: num(g, 'v'), m: g.getAttribute('data-m') || '', c: g.getAttribute('data-c'),
	}));
	const root = frames[0];
	let zoom = root;

	const share = (v, of) => (100 * v / of).toFixed(2) + '%';
	function detail(f) {
		if (!f) return '';
		let s = `${f.n} — ${f.v.toLocaleString()} ${unit}, ${share(f.v, total)}`;
		if (zoom !== root) s += `, ${share(f.v, zoom.v)} of ${zoom.n}`;
		if (f.c !== null) s += `, ${f.c > 0 ? '+' : ''}${f.c} percent points`;
		return f.m ? s + ` — ${f.m}` : s;
	}
	function label(f, px) {
		const fits = Math.floor((px - 6) / glyph);
		f.text.textContent = fits < 3 ? '' : f.n.length <= fits ? f.n : f.n.slice(0, fits - 1) + '…';
	}
	function layout() {
		width = Math.max(600, svg.clientWidth || window.innerWidth || 1200);
		const height = top + (depth + 1) * row + bottom, span = width - 2 * pad, end = zoom.x + zoom.w;
		svg.setAttribute('height', height);
		svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
		for (const f of frames) {
			const above = f.d < zoom.d && f.x <= zoom.x + 1e-9 && f.x + f.w >= end - 1e-9;
			const inside = f.d >= zoom.d && f.x >= zoom.x - 1e-9 && f.x + f.w <= end + 1e-9;
			const px = above ? span : f.w / zoom.w * span;
			if (!(above || inside) || px < 0.3) {
				f.g.style.display = 'none';
				continue;
			}
			const x = pad + (above ? 0 : (f.x - zoom.x) / zoom.w * span);
			const y = icicle ? top + f.d * row : top + (depth - f.d) * row;
			f.g.style.display = '';
			f.g.classList.toggle('above', above);
			f.rect.setAttribute('x', x);
			f.rect.setAttribute('width', Math.max(px - 0.4, 0.3));
			f.rect.setAttribute('y', y);
			f.text.setAttribute('x', x + 3);
			f.text.setAttribute('y', y + 12);
			label(f, px);
		}
		at('detail').setAttribute('y', height - 10);
		at('matched').setAttribute('y', height - 10);
		at('matched').setAttribute('x', width - pad);
		at('tools').setAttribute('x', width - 330);
		at('title').setAttribute('x', width / 2);
		at('reset').style.opacity = zoom === root ? 0.35 : 1;
		matched();
	}
	// Frames that match count once: what is under a frame that matched already is part of it.
	function matched() {
		let sum = 0, end = -1;
		if (found)
			for (const f of [...frames].filter(f => f.hit && f.g.style.display !== 'none' && f.d >= zoom.d).sort((a, b) => a.x - b.x || a.d - b.d))
				if (f.x >= end - 1e-9) {
					sum += f.v;
					end = f.x + f.w;
				}
		at('matched').textContent = found ? `matched ${share(sum, zoom.v)}` : '';
	}
	function search(text) {
		found = null;
		if (text)
			try {
				found = new RegExp(text, 'i');
			} catch {
				found = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
			}
		for (const f of frames) {
			f.hit = !!found && f.d > 0 && found.test(f.n);
			f.g.classList.toggle('hit', f.hit);
		}
		matched();
		remember();
	}
	function show(f) {
		zoom = f;
		layout();
		remember();
	}
	// The view is part of the address, so that it can be sent to somebody.
	function remember() {
		const p = new URLSearchParams();
		if (zoom !== root) p.set('z', frames.indexOf(zoom));
		if (at('search').value) p.set('s', at('search').value);
		if (icicle !== (svg.getAttribute('data-icicle') === '1')) p.set('i', icicle ? 1 : 0);
		try {
			history.replaceState(null, '', '#' + p);
		} catch {
			// a page without an address of its own
		}
	}
	function recall() {
		const p = new URLSearchParams(location.hash.slice(1));
		if (p.has('i')) icicle = p.get('i') === '1';
		zoom = frames[+p.get('z')] || root;
		at('search').value = p.get('s') || '';
		layout();
		search(at('search').value);
	}

	const owner = new Map(frames.map(f => [f.g, f]));
	const under = e => owner.get(e.target.closest && e.target.closest('#frames>g'));
	at('frames').addEventListener('click', e => under(e) && show(under(e)));
	at('frames').addEventListener('mouseover', e => {
		const f = under(e);
		at('detail').textContent = detail(f);
		if (f && !f.title) {
			f.title = f.g.insertBefore(document.createElementNS(ns, 'title'), f.rect);
		}
		if (f) f.title.textContent = detail(f);
	});
	at('frames').addEventListener('mouseleave', () => at('detail').textContent = zoom === root ? '' : detail(zoom));
	at('reset').addEventListener('click', () => show(root));
	at('flip').addEventListener('click', () => {
		icicle = !icicle;
		show(zoom);
	});
	at('search').addEventListener('input', e => search(e.target.value));
	window.addEventListener('resize', layout);
	window.addEventListener('keydown', e => {
		if (e.key === 'Escape') {
			at('search').value = '';
			search('');
			show(root);
		} else if (e.key === '/' || (e.key === 'f' && (e.ctrlKey || e.metaKey))) {
			if (document.activeElement === at('search')) return;
			e.preventDefault();
			at('search').focus();
		}
	});
	svg.setAttribute('width', '100%');
	recall();
})();
