using FuncScaler.Runtime.Service;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Tests.Runtime;

public sealed class AdmissionTests : IDisposable
{
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(300);

    private readonly ManualTimeProvider _time = new();
    private readonly List<TimeSpan> _holds = [];
    private readonly Admission _admission;
    private long _memory;

    public AdmissionTests() =>
        _admission = new Admission(new AdmissionOptions { MaxDelay = TimeSpan.FromMilliseconds(250), MaxMemoryBytes = 1000 }, _time, _holds.Add, () => _memory, beats: false);

    public void Dispose() => _admission.Dispose();

    [Fact]
    public async Task In_time_everything_is_let_in()
    {
        Beat(TimeSpan.FromMilliseconds(3), 100);

        Assert.Equal((1, 200), (_admission.Share, (await SendAsync("/api/assign")).Response.StatusCode));
        Assert.Empty(_holds);
    }

    [Fact]
    public async Task One_stall_refuses_nobody_and_holds_creations_as_long_as_it_was()
    {
        Beat(TimeSpan.FromMilliseconds(120), 1);
        Beat(TimeSpan.Zero, 1);

        Assert.Equal(TimeSpan.FromMilliseconds(120), Assert.Single(_holds));
        Assert.Equal(200, (await SendAsync("/api/assign")).Response.StatusCode);
    }

    [Fact]
    public void Creations_are_not_held_without_end()
    {
        Beat(Late, 40);

        // 40 beats of 25 ms: held for 300 ms, free for 600, and held again.
        Assert.Equal(2, _holds.Count);
    }

    [Fact]
    public async Task Overload_lets_in_less_and_less_and_says_when_to_come_again()
    {
        Beat(Late, 6);

        Assert.Equal(Math.Pow(0.75, 5), _admission.Share, 6);
        var answers = new List<HttpContext>();
        for (var i = 0; i < 100; i++)
        {
            answers.Add(await SendAsync("/api/assign"));
        }

        Assert.InRange(answers.Count(a => a.Response.StatusCode == 200), 22, 25);
        Assert.All(answers.Where(a => a.Response.StatusCode != 200), a => Assert.Equal((429, "1"), (a.Response.StatusCode, a.Response.Headers.RetryAfter.ToString())));
    }

    [Fact]
    public async Task Overload_is_told_over_grpc_in_its_own_words()
    {
        Beat(Late, 100);
        HttpContext answer;
        do
        {
            answer = await SendAsync("/serverless.simulator.Scaler/Assign", "application/grpc");
        }
        while (answer.Response.Headers["grpc-status"].Count == 0);

        Assert.Equal("8", answer.Response.Headers["grpc-status"]);
        Assert.Equal("5000", answer.Response.Headers["grpc-retry-pushback-ms"]);
        Assert.Equal("the scaler has more requests than it can serve", answer.Response.Headers["grpc-message"]);
    }

    [Theory]
    [InlineData("/api/release")]
    [InlineData("/serverless.simulator.Scaler/Idle")]
    [InlineData("/healthz")]
    [InlineData("/api/stats")]
    public async Task What_frees_instances_and_what_only_looks_is_never_refused(string path)
    {
        _memory = 2000;
        Beat(Late, 100);

        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(200, (await SendAsync(path)).Response.StatusCode);
        }
    }

    [Fact]
    public void After_the_overload_all_are_let_in_within_half_a_second()
    {
        Beat(Late, 100);
        Assert.Equal(0.02, _admission.Share);

        Beat(TimeSpan.Zero, 20);

        Assert.Equal(1, _admission.Share);
    }

    [Theory]
    [InlineData("/serverless.simulator.Scaler/Assign", true)]
    [InlineData("/schedulerproto.Scheduler/AcquireContainer", true)]
    [InlineData("/serverless.simulator.Scaler/Idle", false)]
    [InlineData("/schedulerproto.Scheduler/ReturnContainer", false)]
    public async Task Of_both_contests_what_asks_for_an_instance_is_refused_and_what_gives_it_back_is_let_in(string path, bool refused)
    {
        _memory = 1001;
        Beat(TimeSpan.Zero, 11);

        var answer = await SendAsync(path, "application/grpc");

        Assert.Equal(refused, answer.Response.Headers.ContainsKey(ScalerRefusal.PushbackTrailer));
    }

    [Fact]
    public async Task Short_of_memory_no_assign_is_let_in_until_there_is_some_again()
    {
        _memory = 1001;
        Beat(TimeSpan.Zero, 11);
        Assert.Equal((0, 429), (_admission.Share, (await SendAsync("/api/assign")).Response.StatusCode));

        _memory = 950;
        Beat(TimeSpan.Zero, 11);
        Assert.Equal(0, _admission.Share);
        _memory = 890;
        Beat(TimeSpan.Zero, 11);
        Assert.Equal((1, 200), (_admission.Share, (await SendAsync("/api/assign")).Response.StatusCode));
    }

    [Fact]
    public async Task Who_has_gone_away_meanwhile_is_not_even_refused()
    {
        Beat(Late, 100);
        var http = new DefaultHttpContext { RequestAborted = new CancellationToken(canceled: true) };
        http.Request.Path = "/api/assign";

        await _admission.InvokeAsync(http, _ => throw new InvalidOperationException("it is not served either"));

        Assert.Equal(200, http.Response.StatusCode);
    }

    [Fact]
    public void Told_never_to_refuse_for_a_delay_it_does_not()
    {
        using var admission = new Admission(new AdmissionOptions { MaxDelay = Timeout.InfiniteTimeSpan }, _time, _holds.Add, () => 0, beats: false);
        for (var i = 0; i < 100; i++)
        {
            admission.Observe(Late);
        }

        Assert.Equal(1, admission.Share);
    }

    private void Beat(TimeSpan late, int count)
    {
        for (var i = 0; i < count; i++)
        {
            _time.Advance(Admission.Beat);
            _admission.Observe(late);
        }
    }

    private async Task<HttpContext> SendAsync(string path, string type = "application/json")
    {
        var http = new DefaultHttpContext();
        (http.Request.Method, http.Request.Path, http.Request.ContentType) = ("POST", path, type);
        await _admission.InvokeAsync(http, _ => Task.CompletedTask);
        return http;
    }
}
