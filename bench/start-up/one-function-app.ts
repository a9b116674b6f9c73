/** The least that the host can serve: one function that answers every path. */
import { app } from '@azure/functions';

app.http('all', { route: '{*path}', authLevel: 'anonymous', handler: () => ({ status: 200 }) });
