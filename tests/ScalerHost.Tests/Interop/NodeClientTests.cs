using Grpc.Core;

namespace FuncScaler.Tests.Interop;

/// <summary>@grpc/grpc-js calls the scaler.</summary>
public sealed class NodeClientTests(NodeClient client) : IClassFixture<NodeClient>
{
    [NodeFact]
    public void It_gets_an_instance_and_gives_it_back() => client.ExpectAssignAndRelease();

    [NodeFact]
    public void It_gets_the_metadata_beside_the_reply() => client.ExpectMetadata();

    [NodeFact]
    public void It_gets_the_status_and_the_text_of_an_error() => client.ExpectErrors();

    [NodeFact]
    public void Its_deadline_withdraws_the_request_that_waits() => client.ExpectDeadline();

    [NodeFact]
    public void Its_cancellation_withdraws_the_request_that_waits() => client.ExpectCancellation();

    [NodeFact]
    public void It_may_compress_its_messages() => client.ExpectCompression();

    [NodeFact]
    public void Its_message_beyond_the_limit_is_refused_and_the_next_one_served() => client.ExpectMessageLimit();

    [NodeFact]
    public void It_is_told_of_a_method_nobody_serves() => client.ExpectUnknownMethod();

    [NodeFact]
    public void It_sees_the_health_of_the_scaler_and_watches_it() => client.ExpectHealth();

    [NodeFact]
    public void It_finds_the_services_by_reflection() => client.ExpectReflection();

    [NodeFact]
    public void A_thousand_of_its_requests_wait_on_one_connection() => client.ExpectManyStreams();

    [NodeFact]
    public void It_understands_that_its_requests_are_refused_unread() => client.ExpectRefusalsUnread();

    [NodeFact]
    public void Over_grpc_web_and_http_1_it_gets_replies_and_errors()
    {
        Assert.Equal(0, client.Code("web"));
        Assert.Equal("web-1", client.Outcome("web").GetProperty("requestId").GetString());
        Assert.Equal("cold", client.Outcome("web").GetProperty("start").GetString());
        Assert.Equal((int)StatusCode.InvalidArgument, client.Code("webError"));
        Assert.Contains("request_id is empty", client.Details("webError"), StringComparison.Ordinal);
    }
}
