namespace FuncScaler.UnaryGrpc.Tests.Interop;

/// <summary>Our channel calls a Platform server that is @grpc/grpc-js's.</summary>
public sealed class NodeServerTests(NodeServer server) : IClassFixture<NodeServer>
{
    [NodeFact]
    public Task It_replies() => PlatformCalls.ReplyAsync(server.Channel);

    [NodeFact]
    public Task Its_errors_arrive_with_status_and_text() => PlatformCalls.ErrorAsync(server.Channel);

    [NodeFact]
    public Task A_method_it_does_not_serve_is_UNIMPLEMENTED() => PlatformCalls.UnimplementedAsync(server.Channel);

    [NodeFact]
    public Task Its_large_replies_arrive() => PlatformCalls.LargeReplyAsync(server.Channel);

    [NodeFact]
    public Task It_understands_our_timeout() => PlatformCalls.TimeoutIsUnderstoodAsync(server.Channel);

    [NodeFact]
    public Task It_notices_our_deadline_and_our_cancellation() => PlatformCalls.DeadlineOrCancellationAsync(server.Channel);

    [NodeFact]
    public Task It_answers_a_thousand_calls_at_once() => PlatformCalls.ManyAsync(server.Channel);
}
