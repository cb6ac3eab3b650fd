namespace FuncScaler.Tests.Interop;

/// <summary>grpcio, which is gRPC's C core, calls the scaler.</summary>
public sealed class PythonClientTests(PythonClient client) : IClassFixture<PythonClient>
{
    [GrpcioFact]
    public void It_gets_an_instance_and_gives_it_back() => client.ExpectAssignAndRelease();

    [GrpcioFact]
    public void It_gets_the_metadata_beside_the_reply() => client.ExpectMetadata();

    [GrpcioFact]
    public void It_gets_the_status_and_the_text_of_an_error() => client.ExpectErrors();

    [GrpcioFact]
    public void Its_deadline_withdraws_the_request_that_waits() => client.ExpectDeadline();

    [GrpcioFact]
    public void Its_cancellation_withdraws_the_request_that_waits() => client.ExpectCancellation();

    [GrpcioFact]
    public void It_may_compress_its_messages() => client.ExpectCompression();

    [GrpcioFact]
    public void Its_message_beyond_the_limit_is_refused_and_the_next_one_served() => client.ExpectMessageLimit();

    [GrpcioFact]
    public void It_is_told_of_a_method_nobody_serves() => client.ExpectUnknownMethod();

    [GrpcioFact]
    public void It_sees_the_health_of_the_scaler_and_watches_it() => client.ExpectHealth();

    [GrpcioFact]
    public void It_finds_the_services_by_reflection() => client.ExpectReflection();

    [GrpcioFact]
    public void A_thousand_of_its_requests_wait_on_one_connection() => client.ExpectManyStreams();

    [GrpcioFact]
    public void It_understands_that_its_requests_are_refused_unread() => client.ExpectRefusalsUnread();
}
