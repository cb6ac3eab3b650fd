namespace FuncScaler.UnaryGrpc.Tests.Interop;

/// <summary>Our channel calls a Platform server that is grpcio's, which is gRPC's C core's.</summary>
public sealed class PythonServerTests(PythonServer server) : IClassFixture<PythonServer>
{
    [PythonFact]
    public Task It_replies() => PlatformCalls.ReplyAsync(server.Channel);

    [PythonFact]
    public Task Its_errors_arrive_with_status_and_text() => PlatformCalls.ErrorAsync(server.Channel);

    [PythonFact]
    public Task A_method_it_does_not_serve_is_UNIMPLEMENTED() => PlatformCalls.UnimplementedAsync(server.Channel);

    [PythonFact]
    public Task Its_large_replies_arrive() => PlatformCalls.LargeReplyAsync(server.Channel);

    [PythonFact]
    public Task It_understands_our_timeout() => PlatformCalls.TimeoutIsUnderstoodAsync(server.Channel);

    [PythonFact]
    public Task It_notices_our_deadline_and_our_cancellation() => PlatformCalls.DeadlineOrCancellationAsync(server.Channel);

    [PythonFact]
    public Task It_answers_a_thousand_calls_at_once() => PlatformCalls.ManyAsync(server.Channel);

    // grpc-js servers do not compress.
    [PythonFact]
    public Task It_may_compress_its_replies() => PlatformCalls.CompressedReplyAsync(server.Channel);
}
