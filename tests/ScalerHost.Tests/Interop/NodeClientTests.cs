using Grpc.Core;

namespace FuncScaler.Tests.Interop;

/// <summary>@grpc/grpc-js calls the scaler.</summary>
public sealed class NodeClientTests(NodeClient client) : IClassFixture<NodeClient>
{
    [NodeFact]
    public void It_gets_an_instance_and_gives_it_back()
    {
        Assert.Equal((0, 0), (client.Code("ok"), client.Code("released")));
        Assert.StartsWith("i-", client.Outcome("ok").GetProperty("instance").GetString(), StringComparison.Ordinal);
    }

    [NodeFact]
    public void It_gets_the_metadata_beside_the_reply()
    {
        Assert.Equal("http://192.0.2.1/", client.Outcome("ok").GetProperty("address").GetString());
        Assert.Equal("cold", client.Outcome("ok").GetProperty("start").GetString());
    }

    [NodeFact]
    public void It_gets_the_status_and_the_text_of_an_error()
    {
        Assert.Equal((int)StatusCode.InvalidArgument, client.Code("invalid"));
        Assert.Contains("request_id is empty", client.Details("invalid"), StringComparison.Ordinal);
        Assert.Equal((int)StatusCode.NotFound, client.Code("releasedTwice"));
        Assert.Contains("nothing was changed", client.Details("releasedTwice"), StringComparison.Ordinal);
        Assert.Equal((int)StatusCode.FailedPrecondition, client.Code("refused"));
        Assert.Contains(ForeignClient.Detail, client.Details("refused"), StringComparison.Ordinal);
    }

    [NodeFact]
    public void Its_deadline_withdraws_the_request_that_waits()
    {
        Assert.Equal((int)StatusCode.DeadlineExceeded, client.Code("deadline"));
        Assert.Equal(0, client.Outcome("deadline").GetProperty("waiting").GetInt32());
    }

    [NodeFact]
    public void Its_cancellation_withdraws_the_request_that_waits()
    {
        Assert.Equal((int)StatusCode.Cancelled, client.Code("cancelled"));
        Assert.Equal(0, client.Outcome("cancelled").GetProperty("waiting").GetInt32());
    }

    [NodeFact]
    public void It_may_compress_its_messages()
    {
        Assert.Equal(500, client.Outcome("gzip").GetProperty("characters").GetInt32());
        Assert.Equal(500, client.Outcome("deflate").GetProperty("characters").GetInt32());
    }

    [NodeFact]
    public void Its_message_beyond_the_limit_is_refused_and_the_next_one_served()
    {
        Assert.Equal(512, client.Outcome("large").GetProperty("characters").GetInt32());
        Assert.Equal((int)StatusCode.ResourceExhausted, client.Code("tooLarge"));
        Assert.Equal(1, client.Outcome("afterTooLarge").GetProperty("characters").GetInt32());
    }

    [NodeFact]
    public void It_is_told_of_a_method_nobody_serves() => Assert.Equal((int)StatusCode.Unimplemented, client.Code("unknown"));

    [NodeFact]
    public void It_sees_the_health_of_the_scaler_and_watches_it()
    {
        Assert.Equal(1, client.Outcome("health").GetProperty("server").GetInt32());
        Assert.Equal(1, client.Outcome("health").GetProperty("service").GetInt32());
        Assert.Equal(1, client.Outcome("health").GetProperty("watched").GetInt32());
        Assert.Equal((int)StatusCode.NotFound, client.Code("healthOfNobody"));
    }

    [NodeFact]
    public void It_finds_the_services_by_reflection()
    {
        var services = client.Outcome("reflection").EnumerateArray().Select(name => name.GetString()).ToArray();
        Assert.Contains("serverless.simulator.Scaler", services);
        Assert.Contains("grpc.health.v1.Health", services);
    }

    // The script opens one connection: all requests wait at once only where the server allows as many streams.
    [NodeFact]
    public void A_thousand_of_its_requests_wait_on_one_connection() =>
        Assert.Equal(1_000, client.Outcome("parallel").GetProperty("right").GetInt32());

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
