using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Http;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace FuncScaler.Tests;

public sealed class ScalerHttpFunctionsTests : IAsyncLifetime
{
    private const string Function = """{"key":"f","runtime":"go","timeoutInSecs":60,"memoryInMb":128}""";

    private readonly TestScaler _scaler = new();
    private readonly ScalerHttpFunctions _functions;

    public ScalerHttpFunctionsTests() => _functions = new ScalerHttpFunctions(new ScalerJsonApi(_scaler.Service, _scaler.Runtime), new DurableLedgers());

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _scaler.DisposeAsync().AsTask();

    [Fact]
    public async Task An_assign_answers_with_the_contracts_reply_and_its_release_with_the_contracts_status()
    {
        var assigned = await AssignAsync("r1");

        Assert.Equal(200, assigned.Status);
        Assert.Equal("Ok", (string?)assigned.Body["status"]);
        var assignment = assigned.Body["assigment"]!;
        Assert.Equal("r1", (string?)assignment["requestId"]);
        Assert.Equal("f", (string?)assignment["metaKey"]);

        var released = Read(await _functions.ReleaseAsync(Post($$$"""{"assigment":{{{assignment.ToJsonString()}}},"result":{"statusCode":200}}"""), null!));
        Assert.Equal((200, "Ok"), (released.Status, (string?)released.Body["status"]));
        Assert.Equal(1, _scaler.Runtime.GetStats().Requests.Releases);
    }

    [Theory]
    [InlineData("""{"requestId":"r1"}""", 400, "meta_data is missing")]
    [InlineData("""{"requestId":"r1","metaData":{"key":"f"}}""", 400, "memory_in_mb is 0")]
    [InlineData("nonsense", 400, "is not a AssignRequest in JSON")]
    [InlineData("", 400, "is not a AssignRequest in JSON")]
    public async Task A_wrong_assign_is_answered_with_what_is_wrong(string body, int status, string error)
    {
        var answer = Read(await _functions.AssignAsync(Post(body), null!));

        Assert.Equal(status, answer.Status);
        Assert.Contains(error, (string?)answer.Body["error"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_that_resets_the_connection_in_the_middle_of_its_body_is_no_fault_of_the_scalers()
    {
        var request = Post("");
        request.Body = new ResetStream();

        var answer = Read(await _functions.AssignAsync(request, null!));

        Assert.Equal((499, "Cancelled"), (answer.Status, (string?)answer.Body["status"]));
    }

    [Fact]
    public async Task A_release_of_what_was_never_assigned_is_not_found()
    {
        var answer = Read(await _functions.ReleaseAsync(Post("""{"assigment":{"requestId":"r9","metaKey":"f","instanceId":"i-9"}}"""), null!));

        Assert.Equal((404, "NotFound"), (answer.Status, (string?)answer.Body["status"]));
    }

    [Fact]
    public async Task The_stats_count_what_was_served()
    {
        await AssignAsync("r1");

        var stats = Read(_functions.Stats(Post("")));

        Assert.Equal(1, (int?)stats.Body["requests"]!["assigns"]);
        Assert.Equal(1, (int?)stats.Body["slots"]!["busy"]);
    }

    private static HttpRequest Post(string body) => new DefaultHttpContext
    {
        Request = { Method = "POST", ContentType = "application/json", Body = new MemoryStream(Encoding.UTF8.GetBytes(body)) },
    }.Request;

    private static (int? Status, JsonNode Body) Read(IActionResult result)
    {
        var content = Assert.IsType<ContentResult>(result);
        Assert.Equal("application/json", content.ContentType);
        return (content.StatusCode, JsonNode.Parse(content.Content!)!);
    }

    private async Task<(int? Status, JsonNode Body)> AssignAsync(string request) =>
        Read(await _functions.AssignAsync(Post($$$"""{"requestId":"{{{request}}}","metaData":{{{Function}}}}"""), null!));

    /// <summary>A body as Kestrel gives it whose sender has reset the connection.</summary>
    private sealed class ResetStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromException<int>(new ConnectionResetException("Connection reset by peer"));
    }
}
