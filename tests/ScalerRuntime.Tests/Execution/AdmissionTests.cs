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

    /// <summary>
    /// A process that begins ten assigns a beat, and gets more: those whose caller still waits are served nearly as fast as ever, and the queue stays
    /// short. Then fewer come than it can serve, and all are let in.
    /// </summary>
    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(30)]
    public void In_an_overload_as_many_are_let_in_as_can_be_served(int times)
    {
        var process = new Process(_admission, _time);
        process.Run(beats: 400, each: 2);
        Assert.Equal((800, 0), (process.InTime, process.Refused));

        // A minute. Its first two seconds are lost: until the overload is seen, more has come than is served before its callers leave.
        process.Run(beats: 2400, each: 10 * times);
        Assert.InRange(process.InTime - 800, 0.9 * 24_000, 24_000);
        Assert.InRange(process.Waiting, 0, 300);

        process.Run(beats: 80, each: 2);
        Assert.Equal((1, false), (_admission.Share, _admission.Sheds));
        var (inTime, refused) = (process.InTime, process.Refused);
        process.Run(beats: 100, each: 2);
        Assert.Equal((inTime + 200, refused), (process.InTime, process.Refused));
    }

    [Fact]
    public void Who_is_refused_is_told_to_come_later_the_fewer_are_let_in()
    {
        var some = new Process(_admission, _time);
        some.Run(beats: 200, each: 15);
        Assert.False(TryUntilRefused(out var soon));
        some.Run(beats: 400, each: 300);
        Assert.False(TryUntilRefused(out var late));

        Assert.InRange(soon, TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(500));
        Assert.InRange(late, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(5));

        bool TryUntilRefused(out TimeSpan retryAfter)
        {
            while (_admission.TryEnter(out _, out retryAfter))
            {
            }

            return false;
        }
    }

    [Fact]
    public void A_queue_that_is_late_now_and_then_is_no_overload()
    {
        for (var i = 0; i < 100; i++)
        {
            Beat(Late, Admission.LateBeats - 1);
            Beat(TimeSpan.Zero, 1);
        }

        Assert.Equal((1, false), (_admission.Share, _admission.Sheds));
    }

    /// <summary>Other programs take the machine: the process is late, and its few callers have no part in that.</summary>
    [Theory]
    [InlineData(300)]
    [InlineData(3000)]
    public async Task A_few_callers_are_served_however_late_the_process_is(int lateMs)
    {
        for (var i = 0; i < 200; i++)
        {
            Beat(TimeSpan.FromMilliseconds(lateMs), 1);
            Assert.Equal(200, (await SendAsync("/api/assign")).Response.StatusCode);
        }

        Assert.True(_admission.Sheds);
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
        Assert.Equal("200", answer.Response.Headers["grpc-retry-pushback-ms"]);
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

    /// <summary>What the admission stands before: a queue, of which ten a beat are begun. Callers wait for 0.8 s, and go away after 2.</summary>
    private sealed class Process(Admission admission, ManualTimeProvider time)
    {
        private readonly Queue<TimeSpan> _queue = new();
        private TimeSpan _now;
        private TimeSpan? _probe;

        public int InTime { get; private set; }

        public int Refused { get; private set; }

        public int Waiting => _queue.Count;

        public void Run(int beats, int each)
        {
            for (var beat = 0; beat < beats; beat++)
            {
                _now += Admission.Beat;
                time.Advance(Admission.Beat);
                for (var i = 0; i < each; i++)
                {
                    if (!admission.Sheds || admission.TryEnter(out _, out _))
                    {
                        _queue.Enqueue(_now);
                    }
                    else
                    {
                        Refused++;
                    }
                }

                for (var begun = 0; begun < 10 && _queue.TryDequeue(out var cameAt);)
                {
                    var waited = _now - cameAt;
                    if (waited <= TimeSpan.FromSeconds(2))
                    {
                        begun++;
                        admission.CountBegun(waited);
                        InTime += waited <= TimeSpan.FromSeconds(0.8) ? 1 : 0;
                    }
                }

                _probe ??= _now;
                var late = _now - _probe.Value;
                if (!_queue.TryPeek(out var first) || first >= _probe)
                {
                    _probe = null;
                }

                admission.Observe(late);
            }
        }
    }
}
