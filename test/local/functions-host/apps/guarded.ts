import { app, type HttpRequest, type HttpResponseInit } from '@azure/functions';

const handler = (request: HttpRequest): HttpResponseInit => ({
  jsonBody: { authorization: request.headers.get('authorization'), key: request.headers.get('x-functions-key') },
});

app.http('open', { handler });
app.http('guarded', { authLevel: 'function', handler });
app.http('other', { authLevel: 'function', handler });
app.http('topmost', { authLevel: 'admin', handler });
