namespace FuncScaler.UnaryGrpc.Tests.Interop;

/// <summary>grpcio, which is gRPC's C core, calls our Scaler server.</summary>
public sealed class PythonClientTests(PythonClient client) : IClassFixture<PythonClient>
{
    [PythonFact]
    public void It_gets_a_reply()
    {
        Assert.Equal(0, client.Code("ok"));
        Assert.Equal("i-7", client.Outcome("ok").GetProperty("instance").GetString());
    }

    [PythonFact]
    public void It_gets_the_status_and_the_text_of_an_error()
    {
        Assert.Equal((int)GrpcStatus.NotFound, client.Code("error"));
        Assert.Equal(ForeignClient.Detail, client.Outcome("error").GetProperty("details").GetString());
    }

    [PythonFact]
    public void It_learns_nothing_of_a_failure()
    {
        Assert.Equal((int)GrpcStatus.Unknown, client.Code("failure"));
        Assert.DoesNotContain("hunter2", client.Outcome("failure").GetProperty("details").GetString(), StringComparison.Ordinal);
    }

    [PythonFact]
    public void Its_deadline_ends_the_handler_too() =>
        // The client went on only after the handler of a timed out call had ended.
        Assert.Equal((int)GrpcStatus.DeadlineExceeded, client.Code("deadline"));

    [PythonFact]
    public void Its_cancellation_ends_the_handler_too()
    {
        Assert.Equal((int)GrpcStatus.Cancelled, client.Code("cancelled"));
        Assert.Equal("ended", client.Outcome("cancelled").GetProperty("seen").GetString());
    }

    [PythonFact]
    public void It_may_compress_with_gzip_and_is_told_of_others()
    {
        Assert.Equal(0, client.Code("gzip"));
        Assert.Equal(5_000, client.Outcome("gzip").GetProperty("characters").GetInt32());
        Assert.Equal((int)GrpcStatus.Unimplemented, client.Code("deflate"));
    }

    [PythonFact]
    public void It_may_send_large_messages_up_to_the_limit()
    {
        Assert.Equal(3 << 20, client.Outcome("large").GetProperty("characters").GetInt32());
        Assert.Equal((int)GrpcStatus.ResourceExhausted, client.Code("tooLarge"));
        Assert.Equal(1, client.Outcome("afterTooLarge").GetProperty("characters").GetInt32());
    }

    [PythonFact]
    public void It_is_told_of_a_method_nobody_serves() => Assert.Equal((int)GrpcStatus.Unimplemented, client.Code("unknown"));

    [PythonFact]
    public void It_sees_our_health()
    {
        Assert.Equal(0, client.Code("health"));
        Assert.Equal(1, client.Outcome("health").GetProperty("status").GetInt32());
        Assert.Equal((int)GrpcStatus.NotFound, client.Code("healthOfNobody"));
    }

    [PythonFact]
    public void It_has_a_thousand_calls_in_flight_on_one_connection()
    {
        Assert.Equal(1_000, client.Outcome("parallel").GetProperty("right").GetInt32());
        Assert.Equal(1, client.ConnectionsTogether);
    }
}
