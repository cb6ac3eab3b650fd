using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Http;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Runtime.Soaking;

/// <summary>
/// Azure Container Instances in a simulated world. The real adapter asks for groups through Azure's own client, and each of its HTTP calls waits until
/// the world answers it. Provisioning may fail or never end, deletions may hang, and the list may lag.
/// </summary>
internal sealed class SimulatedAzure : SimulatedPlatform
{
    /// <summary>After how long Azure's client gives a call up.</summary>
    private static readonly TimeSpan NetworkTimeout = TimeSpan.FromSeconds(100);

    private static readonly TimeSpan Never = TimeSpan.FromDays(1000);

    private readonly SoakClock _clock;
    private readonly SimulatedArm _arm;
    private readonly AciOptions _options;
    private readonly Dictionary<InstanceId, ArmGroup> _groups = [];
    private bool _well;

    /// <param name="dice">Decides what happens.</param>
    /// <param name="world">Decides how the platform and the adapter are set.</param>
    /// <param name="clock">The world's time.</param>
    /// <param name="log">What happens is told there.</param>
    public SimulatedAzure(Dice dice, Dice world, SoakClock clock, SoakLog log)
        : base(dice, log)
    {
        _clock = clock;
        _arm = new SimulatedArm(clock)
        {
            ListLag = TimeSpan.FromSeconds(world.Pick([0, 0, 5, 60])),
            PageSize = world.Pick([2, 1000]),
            PollRetryAfter = world.Next(3),
            MaxGroupsPerRegion = world.Pick([4, 100, 100]),
            Limits = Limited(),
        };
        _options = new AciOptions
        {
            Owner = "soak",
            Run = "soak",
            Subscription = SimulatedArm.Subscription,
            GenericResources = true,
            Places = [.. _arm.ResourceGroups.Take(world.Pick([1, 2])).Select(g => new AciPlace(g.Key, g.Value))],
            Images = new Dictionary<string, string> { ["*"] = "example/runtime:1" },
            Start = new InstanceStart { Init = InitMode.HttpInit, Timeout = TimeSpan.FromSeconds(30) },
            CreateLimits = Limited(),
            DeleteLimits = Limited(),
            SweepInterval = TimeSpan.FromSeconds(world.Between(5, 30)),
            OrphanGrace = TimeSpan.FromSeconds(5),
            ProvisionTimeout = TimeSpan.FromSeconds(30),
            DeleteTimeout = TimeSpan.FromSeconds(30),
            FullPause = TimeSpan.FromSeconds(5),
            Randomizer = static () => 0.5,
        };

        IReadOnlyList<RateLimit> Limited() => world.Percent(30) ? [new RateLimit(5, TimeSpan.FromSeconds(10))] : [];
    }

    public override BackendLimits Limits => AciKind.LimitsOf(_options);

    public override IReadOnlyCollection<string> Left => [.. _arm.Groups.Where(g => g.GoneAt is null).Select(g => g.Id)];

    public override ISlotBackend Begin() => new AciBackend(
        new ArmConnection { Simulated = new Wire(this) }.Open(_options), _options, _clock, instances: new HttpMessageInvoker(new Wire(this)));

    public override bool IsThere(InstanceId instance) => _groups.TryGetValue(instance, out var group) && group.GoneAt is null && _arm.Groups.Contains(group);

    public override void Recover()
    {
        base.Recover();
        _well = true;
        _arm.ListLag = TimeSpan.Zero;
        foreach (var group in _arm.Groups.Where(g => g.GoneAt is not null))
        {
            group.GoneAt = _arm.Now;
        }
    }

    /// <summary>A group disappears, or its container ends and it stays as it is.</summary>
    public override void LoseOne()
    {
        if (_arm.Groups.Where(g => g.ExitCode is null && g.StateAt(_arm.Now) == "Succeeded").ToList() is not { Count: > 0 } groups)
        {
            return;
        }

        var (group, stays) = (Dice.Pick(groups), Dice.Percent(50));
        Log.Add($"{group.Id} {(stays ? "ends" : "is lost")}");
        Log.Count(SoakFault.InstanceLost);
        Lost.UnionWith(_groups.Where(g => g.Value == group).Select(g => g.Key));
        if (stays)
        {
            _arm.End(group.Id, exitCode: 1);
        }
        else
        {
            _arm.Lose(group.Id);
        }
    }

    protected override Exception Failing(SoakFault fault) => fault switch
    {
        SoakFault.Storm => new AnswerException(429, "TooManyRequests", 2),
        SoakFault.Throttled => new AnswerException(429, "TooManyRequests", Dice.Pick<int?>([null, 1, 10])),
        SoakFault.Refused => new AnswerException(400, "InvalidRequestContent"),
        SoakFault.CallFails => Dice.Pick<Exception>(
        [
            new AnswerException(500, "InternalServerError"),
            new AnswerException(503, "ServerBusy", 5),
            new AnswerException(409, "ContainerGroupTransitioning"),
        ]),
        SoakFault.Unforeseen => new AnswerException(200, null),
        SoakFault.GivenUp => new TaskCanceledException("gave up by itself"),
        _ => new HttpRequestException("the connection was cut"),
    };

    private async Task<HttpResponseMessage> CallAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var (method, uri) = (request.Method.Method, request.RequestUri!);
        var body = request.Content is { } content ? await content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false) : "";
        using var limit = new CancellationTokenSource(NetworkTimeout, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await Wait(
                $"{method} {uri.AbsolutePath[(uri.AbsolutePath.LastIndexOf('/') + 1)..]}",
                mayStorm: method is "PUT" or "DELETE",
                heard => uri.IsLoopback ? AskContainer(method, uri, body, heard) : AskArm(method, uri, body),
                either.Token).ConfigureAwait(false);
        }
        catch (AnswerException e)
        {
            return e.Answer;
        }
    }

    private HttpResponseMessage AskArm(string method, Uri uri, string body)
    {
        if (method == "DELETE" && KeepsDestroyed)
        {
            return new HttpResponseMessage(HttpStatusCode.NoContent);
        }

        // Of twenty, one fails and one never ends.
        var fate = _well ? 0 : Dice.Next(20);
        var takes = TimeSpan.FromMilliseconds(Dice.Between(0, 5000));
        _arm.Deleting = fate == 19 ? Never : takes;
        if (method is "PUT" or "DELETE" && fate is 18 or 19)
        {
            Log.Count(fate == 19 ? SoakFault.Hangs : SoakFault.CallFails);
        }

        var reply = _arm.Answer(method, uri, body, fate == 19 ? Timeout.InfiniteTimeSpan : takes, fate == 18 ? "ImagePullFailed" : null);
        return Message(reply.Status, reply.Body, reply.Headers);
    }

    /// <summary>What runs in a group takes POST /init once, as the action runtimes do.</summary>
    private HttpResponseMessage AskContainer(string method, Uri uri, string body, bool heard)
    {
        var group = _arm.FindByAddress(uri.Host) ?? throw new HttpRequestException("nothing listens there");
        if (method != "POST")
        {
            return new HttpResponseMessage(HttpStatusCode.OK);
        }

        var (first, environment) = (group.Inits.Count == 0, JsonNode.Parse(body)!["value"]!["env"]!);
        var (instance, function) = (new InstanceId((string)environment["FUNCSCALER_INSTANCE"]!), (string)environment["__OW_ACTION_NAME"]!);
        SoakException.Unless(AciTags.FunctionOf(group.Tags)?.Key.Value == function, () => $"{group.Id} is asked to be {function}");
        group.Inits.Add(body);
        Made(instance, new MetaKey(function));

        // Whoever is answered last has it.
        if (heard)
        {
            foreach (var former in _groups.Where(g => g.Value == group).Select(g => g.Key).ToList())
            {
                _groups.Remove(former);
            }
        }

        if (heard || first)
        {
            _groups.TryAdd(instance, group);
        }

        return new HttpResponseMessage(first ? HttpStatusCode.OK : HttpStatusCode.Forbidden);
    }

    private static HttpResponseMessage Message(int status, JsonNode? body, IEnumerable<(string Name, string Value)> headers)
    {
        var message = new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body?.ToJsonString() ?? "", Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
        {
            message.Headers.Add(name, value);
        }

        return message;
    }

    /// <summary>A call ends in this answer; one without a code is no answer of Azure's.</summary>
    private sealed class AnswerException(int status, string? code, int? retryAfter = null) : Exception
    {
        public HttpResponseMessage Answer => Message(
            status,
            code is null ? "nonsense" : SimulatedArm.Error(code, "as the dice fell"),
            new ArmReply(status, null) { RetryAfter = retryAfter }.Headers);
    }

    private sealed class Wire(SimulatedAzure azure) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            azure.CallAsync(request, cancellationToken);
    }
}
