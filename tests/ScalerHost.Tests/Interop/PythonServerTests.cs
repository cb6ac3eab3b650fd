namespace FuncScaler.Tests.Interop;

/// <summary>The simulator backend and its channel call a Platform server that is grpcio's, which is gRPC's C core's.</summary>
public sealed class PythonServerTests(PythonServer server) : IClassFixture<PythonServer>
{
    [GrpcioFact]
    public Task Slots_are_created_initialised_and_destroyed() => PlatformCalls.SlotAsync(server.Address);

    [GrpcioFact]
    public Task Its_errors_arrive_with_status_and_text() => PlatformCalls.ErrorAsync(server.Address);

    [GrpcioFact]
    public Task A_method_it_does_not_serve_is_refused_for_good() => PlatformCalls.UnimplementedAsync(server.Address);

    [GrpcioFact]
    public Task Its_large_replies_arrive() => PlatformCalls.LargeReplyAsync(server.Address);

    [GrpcioFact]
    public Task It_understands_the_timeout() => PlatformCalls.TimeoutIsUnderstoodAsync(server.Address);

    [GrpcioFact]
    public Task It_notices_a_deadline_and_a_cancellation() => PlatformCalls.DeadlineOrCancellationAsync(server.Address);

    [GrpcioFact]
    public Task It_answers_a_thousand_calls_at_once() => PlatformCalls.ManyAsync(server.Address);

    // grpc-js servers do not compress.
    [GrpcioFact]
    public Task It_may_compress_its_replies() => PlatformCalls.CompressedReplyAsync(server.Address);
}
