// Plotly comes before our scripts, in the page.
declare const Plotly: { react(id: string, traces: object[], layout: object, config: object): Promise<unknown> };
