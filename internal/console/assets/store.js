// What the page knows, as a function of what it hears.

const keptPoints = 300;
const kept = { refused: 100, error: 60, admitted: 40 };

export const nothing = { link: 'connecting', points: [], tables: {}, decisions: [], at: null };

export function hear(known, [kind, data]) {
  switch (kind) {
    case 'overview':
      return { ...known, link: 'live', at: data.at, points: data.points, tables: data.tables, decisions: data.logs.decisions };
    case 'frame':
      return {
        ...known, link: 'live', at: data.at,
        points: [...known.points, ...data.points].slice(-keptPoints),
        tables: { ...known.tables, ...data.tables },
        decisions: data.logs.decisions ? merge(known.decisions, data.logs.decisions) : known.decisions,
      };
    case 'locked':
      return { ...nothing, link: 'locked', refused: data };
    case 'live':
      return { ...known, busy: undefined };
    case 'busy':
      return { ...known, busy: data };
    default:
      return { ...known, link: kind };
  }
}

// merge puts the news first and lets go of the oldest of each kind, as the gateway
// does: nothing pushes out a refusal but another.
function merge(old, news) {
  const room = { ...kept };
  const seen = new Set();
  return [...news, ...old].filter((d) => {
    if (seen.has(d.serial)) return false;
    seen.add(d.serial);
    return room[d.kind === 'would_refuse' ? 'refused' : d.kind]-- > 0;
  }).sort((a, b) => b.serial - a.serial);
}
