namespace FuncScaler.Tests.Interop;

/// <summary>The simulator backend and its channel call a Platform server that is @grpc/grpc-js's.</summary>
public sealed class NodeServerTests(NodeServer server) : IClassFixture<NodeServer>
{
    [NodeFact]
    public Task Slots_are_created_initialised_and_destroyed() => PlatformCalls.SlotAsync(server.Address);

    [NodeFact]
    public Task Its_errors_arrive_with_status_and_text() => PlatformCalls.ErrorAsync(server.Address);

    [NodeFact]
    public Task A_method_it_does_not_serve_is_refused_for_good() => PlatformCalls.UnimplementedAsync(server.Address);

    [NodeFact]
    public Task Its_large_replies_arrive() => PlatformCalls.LargeReplyAsync(server.Address);

    [NodeFact]
    public Task It_understands_the_timeout() => PlatformCalls.TimeoutIsUnderstoodAsync(server.Address);

    [NodeFact]
    public Task It_notices_a_deadline_and_a_cancellation() => PlatformCalls.DeadlineOrCancellationAsync(server.Address);

    [NodeFact]
    public Task It_answers_a_thousand_calls_at_once() => PlatformCalls.ManyAsync(server.Address);
}
