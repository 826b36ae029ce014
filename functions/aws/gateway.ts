// A Hono app behind API Gateway (payload 2.0).
import type { Env, Hono, Schema } from 'hono';
import { handle, type LambdaEvent } from 'hono/aws-lambda';
import type { Count } from './log.ts';

/**
 * Returns the Lambda handler of an app. Each 5xx response adds one to the metric `name`: Lambda's own `Errors` counts
 * only exceptions. Health is not counted: its 503 is a report about other stages.
 */
export function gatewayHandler<E extends Env, S extends Schema, P extends string>(
  app: Hono<E, S, P>,
  count: Count,
  name: string,
) {
  const respond = handle(app);
  return async (event: LambdaEvent, context: Parameters<typeof respond>[1]) => {
    const response = await respond(event, context);
    const isHealth = 'rawPath' in event && event.rawPath.startsWith('/v1/health');
    if (response.statusCode >= 500 && !isHealth) count({ [name]: 1 });
    return response;
  };
}

/** Returns the caller's IP address as API Gateway reports it; '' if it doesn't. */
export function peerOf(_request: Request, env: unknown): string {
  const { requestContext } = (env as { event: LambdaEvent }).event;
  return requestContext && 'http' in requestContext ? requestContext.http.sourceIp : '';
}
