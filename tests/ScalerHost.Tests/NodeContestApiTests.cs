using System.Text.Json.Nodes;
using FuncScaler.Contract.Calls;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncScaler.Tests;

/// <summary>The APIServer of the 2020 contest. Each run in real time has a class of its own: they wait beside each other.</summary>
public sealed class NodeContestApiTests
{
    /// <summary>A client of the contest's own: it lists the functions and calls one, while the load is played.</summary>
    [Fact]
    public async Task Whoever_likes_calls_functions_by_the_contest_s_APIServer()
    {
        using var port = new ReservedPort();
        await using var contest = FuncScalerCommand.Start("contest", "--edition", "2020", "--length", "4", "--api-port", $"{port.Number}", "--worlds", "0", "--json");
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port.Number}");
        var client = new APIServer.APIServerClient(channel);
        ListFunctionsReply? functions = null;
        await Eventually.HoldsAsync(async () =>
        {
            try
            {
                functions = await client.ListFunctionsAsync(new ListFunctionsRequest());
                return true;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable)
            {
                return false;
            }
        });

        var function = functions!.Functions.Single(f => f.FunctionName == "hello-sparse");
        Assert.Equal(12, functions.Functions.Count);
        Assert.InRange(function.MemoryInBytes, 1 << 20, int.MaxValue);
        var reply = await client.InvokeFunctionAsync(
            new InvokeFunctionRequest { RequestId = "mine", FunctionName = function.FunctionName, Event = ByteString.CopyFromUtf8("0.01;0.02;20") });
        Assert.Equal("mine", reply.RequestId);
        Assert.InRange(reply.ServerSideLatencyInMs, 30, 60_000);
        var unknown = await Assert.ThrowsAsync<RpcException>(async () => await client.InvokeFunctionAsync(new InvokeFunctionRequest { FunctionName = "none" }));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);

        var result = await contest.WaitAsync();
        Assert.Equal(0, result.ExitCode);
        Assert.True((int)JsonNode.Parse(result.Output)!["runs"]![0]!["calls"]! > 0);
    }
}
