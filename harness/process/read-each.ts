/** Readings of many things at once, of which some may have ended. */

/** What `read` gives of each by its name; left out is what it has nothing of, or rejects for. */
export async function readEach<Named extends { readonly name: string }, Reading>(
  all: readonly Named[],
  read: (each: Named) => Promise<Reading | undefined>,
): Promise<Readonly<Record<string, Reading>>> {
  const readings: Record<string, Reading> = {}
  const keep = (name: string) => (reading: Reading | undefined) => {
    if (reading !== undefined) readings[name] = reading
  }
  await Promise.all(all.map((each) => read(each).then(keep(each.name), () => {})))
  return readings
}
