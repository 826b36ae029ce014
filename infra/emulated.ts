/** For what an emulator of AWS lacks; nothing else may use it. Given as context by test/aws/deploy.test.ts. */
export interface Emulated {
  /** Leaves out uploading the pages: BucketDeployment runs on a layer with Python's AWS CLI. */
  withoutPages?: boolean;
  /** Leaves out bucket policies that refuse plain HTTP. */
  plainHttp?: boolean;
  /** Where the IP table is: layers are not under /opt. */
  ipTable?: string;
  /** Where S3 is: a bucket has no host name of its own. */
  s3?: string;
}
