using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncScaler.SlotBackends.Budget;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.FakeArm;

/// <summary>
/// Azure Resource Manager for container groups, on a free loopback port: long-running operations, limits, a list that lags, and faults by
/// script. It refuses what Azure refuses. The containers themselves answer too, each on a loopback address of its own.
/// </summary>
internal sealed partial class FakeArmServer : IAsyncDisposable
{
    public const string Subscription = "00000000-0000-0000-0000-000000000001";

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly Dictionary<string, FakeGroup> _groups = [];
    private readonly List<(FakeGroup Group, TimeSpan At)> _deleted = [];
    private readonly Dictionary<string, (FakeGroup Group, bool Deletes)> _operations = [];
    private readonly Dictionary<string, (TokenBuckets Creates, TokenBuckets Deletes)> _limits = [];
    private WebApplication? _server;
    private FakeContainers? _containers;
    private int _lastAddress;
    private int _lastOperation;

    private FakeArmServer(TimeProvider time)
    {
        _time = time;
        _origin = time.GetTimestamp();
    }

    public ConcurrentQueue<ArmFault> Puts { get; } = new();

    public ConcurrentQueue<ArmFault> Gets { get; } = new();

    public ConcurrentQueue<ArmFault> Deletes { get; } = new();

    public ConcurrentQueue<ArmFault> Lists { get; } = new();

    public ConcurrentQueue<ArmFault> Polls { get; } = new();

    /// <summary>The method and the last part of the path of every call, in order.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>The regions of the resource groups that exist.</summary>
    public Dictionary<string, string> ResourceGroups { get; } = new() { ["slots"] = "westeurope", ["slots-2"] = "northeurope" };

    public TimeSpan Provisioning { get; set; }

    public TimeSpan Deleting { get; set; }

    /// <summary>How old the list's knowledge is.</summary>
    public TimeSpan ListLag { get; set; }

    /// <summary>Groups in one page of the list.</summary>
    public int PageSize { get; set; } = 1000;

    /// <summary>The Retry-After of operations under way, s.</summary>
    public int PollRetryAfter { get; set; }

    public int MaxGroupsPerRegion { get; set; } = 100;

    /// <summary>Limits of creations and of deletions, per region; none unless set before the first call.</summary>
    public IReadOnlyList<RateLimit> Limits { get; set; } = [];

    /// <summary>Groups ever created.</summary>
    public int Created { get; private set; }

    /// <summary>Creations refused with 429.</summary>
    public int Throttled { get; private set; }

    public Uri Address => new(_server!.Urls.First());

    /// <summary>The port the containers listen on.</summary>
    public int ContainerPort => _containers!.Port;

    /// <summary>Time since the start.</summary>
    public TimeSpan Now => _time.GetElapsedTime(_origin);

    /// <summary>The groups that exist.</summary>
    public IReadOnlyList<FakeGroup> Groups
    {
        get
        {
            lock (_gate)
            {
                Expire();
                return [.. _groups.Values];
            }
        }
    }

    public static async Task<FakeArmServer> StartAsync(TimeProvider? time = null)
    {
        var fake = new FakeArmServer(time ?? TimeProvider.System);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        fake._server = builder.Build();
        fake._server.Run(fake.HandleAsync);
        await fake._server.StartAsync();
        fake._containers = await FakeContainers.StartAsync(fake.FindByAddress);
        return fake;
    }

    /// <summary>Puts somebody's group there.</summary>
    public void Plant(string resourceGroup, string name, params (string Name, string Value)[] tags)
    {
        lock (_gate)
        {
            var body = new JsonObject { ["tags"] = new JsonObject(tags.Select(t => KeyValuePair.Create<string, JsonNode?>(t.Name, t.Value))), ["properties"] = new JsonObject() };
            var group = new FakeGroup(resourceGroup, name, ResourceGroups[resourceGroup], NextAddress(), body) { CreatedAt = Now, ReadyAt = Now };
            _groups.Add(group.Id, group);
        }
    }

    /// <summary>Whether POST /init is answered with an error that never ends.</summary>
    public bool InitNeverEnds
    {
        set => _containers!.InitNeverEnds = value;
    }

    /// <summary>The container of a group ends.</summary>
    public void End(string id, int exitCode)
    {
        lock (_gate)
        {
            _groups[id].ExitCode = exitCode;
        }
    }

    /// <summary>Takes a group away behind everybody's back.</summary>
    public void Lose(string id)
    {
        lock (_gate)
        {
            if (_groups.Remove(id, out var group))
            {
                _deleted.Add((group, Now));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server!.StopAsync(now.Token);
        await _server.DisposeAsync();
        await _containers!.DisposeAsync();
    }

    private FakeGroup? FindByAddress(string address)
    {
        lock (_gate)
        {
            Expire();
            return _groups.Values.FirstOrDefault(g => g.Address == address && g.StateAt(Now) == "Succeeded" && g.ExitCode is null);
        }
    }

    private string NextAddress()
    {
        var n = ++_lastAddress;
        return $"127.{1 + (n >> 16)}.{(n >> 8) & 255}.{n & 255}";
    }

    private void Expire()
    {
        foreach (var group in _groups.Values.Where(g => g.GoneAt <= Now).ToList())
        {
            _groups.Remove(group.Id);
            _deleted.Add((group, group.GoneAt!.Value));
        }
    }

    private async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!;
        Calls.Enqueue($"{http.Request.Method} {path[(path.LastIndexOf('/') + 1)..]}");
        if (http.Request.Headers.Authorization.Count == 0)
        {
            await ErrorAsync(http, 401, "AuthenticationFailed", "no token");
            return;
        }

        if (!http.Request.Query.ContainsKey("api-version"))
        {
            await ErrorAsync(http, 400, "MissingApiVersionParameter", "api-version is missing");
            return;
        }

        if (path.StartsWith("/operations/", StringComparison.Ordinal))
        {
            await WithFaultAsync(http, Polls, _ => PollAsync(http, path["/operations/".Length..]));
            return;
        }

        var match = GroupPath().Match(path);
        if (!match.Success || match.Groups["sub"].Value != Subscription)
        {
            await ErrorAsync(http, 404, "InvalidResourceType", path);
            return;
        }

        var resourceGroup = match.Groups["rg"].Value;
        if (!ResourceGroups.TryGetValue(resourceGroup, out var region))
        {
            await ErrorAsync(http, 404, "ResourceGroupNotFound", $"Resource group '{resourceGroup}' could not be found.");
            return;
        }

        var name = match.Groups["name"].Value;
        await ((http.Request.Method, name.Length > 0) switch
        {
            ("GET", false) => WithFaultAsync(http, Lists, _ => ListAsync(http, resourceGroup)),
            ("GET", true) => WithFaultAsync(http, Gets, _ => GetAsync(http, resourceGroup, name)),
            ("PUT", true) => WithFaultAsync(http, Puts, fault => PutAsync(http, resourceGroup, region, name, fault)),
            ("DELETE", true) => WithFaultAsync(http, Deletes, _ => DeleteAsync(http, resourceGroup, region, name)),
            _ => ErrorAsync(http, 405, "MethodNotAllowed", http.Request.Method),
        });
    }

    private static async Task WriteForEverAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        var words = System.Text.Encoding.ASCII.GetBytes(new string('x', 64 * 1024));
        await http.Response.WriteAsync("\"", http.RequestAborted);
        while (!http.RequestAborted.IsCancellationRequested)
        {
            await http.Response.Body.WriteAsync(words, http.RequestAborted);
        }
    }

    private static async Task WithFaultAsync(HttpContext http, ConcurrentQueue<ArmFault> script, Func<ArmFault, Task<(int Status, JsonNode? Body)>> handle)
    {
        var fault = script.TryDequeue(out var scripted) ? scripted : ArmFault.None;
        var failing = fault.Status != 0 || fault.CutsConnection || fault.Hangs;
        var answer = !failing || fault.TakesEffect ? await handle(fault) : default;
        if (fault.Hangs)
        {
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, http.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }

        if (fault.CutsConnection)
        {
            http.Abort();
            return;
        }

        if (failing)
        {
            http.Response.Headers.Clear();
            if (fault.RetryAfter is { } seconds)
            {
                http.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            }

            await ErrorAsync(http, fault.Status, fault.Code, fault.Message);
            return;
        }

        http.Response.StatusCode = answer.Status;
        if (fault.NeverEnds)
        {
            await WriteForEverAsync(http);
        }
        else if (fault.Body is { } body)
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(body);
        }
        else if (answer.Body is not null)
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(answer.Body.ToJsonString());
        }
    }

    private static async Task ErrorAsync(HttpContext http, int status, string code, string message)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(Error(code, message).ToJsonString());
    }

    private static JsonObject Error(string code, string message) =>
        new() { ["error"] = new JsonObject { ["code"] = code, ["message"] = message } };

    private Task<(int Status, JsonNode? Body)> PollAsync(HttpContext http, string id)
    {
        lock (_gate)
        {
            Expire();
            if (!_operations.TryGetValue(id, out var operation))
            {
                return Answer(404, Error("NotFound", id));
            }

            var gone = !_groups.TryGetValue(operation.Group.Id, out var current) || current != operation.Group;
            var (status, code) = operation.Deletes
                ? (gone ? "Succeeded" : "InProgress", "")
                : gone ? ("Canceled", "ContainerGroupDeleted")
                : operation.Group.StateAt(Now) switch
                {
                    "Creating" => ("InProgress", ""),
                    "Failed" => ("Failed", operation.Group.ProvisioningError!),
                    "Deleting" => ("Canceled", "ContainerGroupDeleted"),
                    _ => ("Succeeded", ""),
                };
            if (status == "InProgress")
            {
                http.Response.Headers.RetryAfter = PollRetryAfter.ToString(CultureInfo.InvariantCulture);
            }

            var body = code.Length > 0 ? Error(code, $"provisioning ended in {code}") : [];
            body["status"] = status;
            return Answer(200, body);
        }
    }

    private async Task<(int Status, JsonNode? Body)> PutAsync(HttpContext http, string resourceGroup, string region, string name, ArmFault fault)
    {
        var body = (await JsonNode.ParseAsync(http.Request.Body))!.AsObject();
        if (Refusal(body, region, name) is { } refusal)
        {
            return (400, Error("InvalidRequestContent", refusal));
        }

        lock (_gate)
        {
            Expire();
            if (_groups.TryGetValue($"{resourceGroup}/{name}", out var there))
            {
                return there.StateAt(Now) == "Succeeded"
                    ? (200, Describe(there))
                    : (409, Error("ContainerGroupTransitioning", $"The container group '{name}' is still transitioning, please retry later."));
            }

            if (_groups.Values.Count(g => g.Region == region) >= MaxGroupsPerRegion)
            {
                return (409, Error("ContainerGroupQuotaReached", $"Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'ContainerGroups' exceeded in region '{region}'."));
            }

            if (!LimitsOf(region).Creates.TryTake(out var wait))
            {
                Throttled++;
                http.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
                return (429, Error("TooManyRequests", "The request is being throttled."));
            }

            var time = fault.Provisioning ?? Provisioning;
            var group = new FakeGroup(resourceGroup, name, region, NextAddress(), body)
            {
                CreatedAt = Now,
                ReadyAt = time == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : Now + time,
                ProvisioningError = fault.ProvisioningError,
            };
            _groups.Add(group.Id, group);
            Created++;
            Operation(http, group, deletes: false);
            return (201, Describe(group));
        }
    }

    private Task<(int Status, JsonNode? Body)> DeleteAsync(HttpContext http, string resourceGroup, string region, string name)
    {
        lock (_gate)
        {
            Expire();
            if (!_groups.TryGetValue($"{resourceGroup}/{name}", out var group))
            {
                return Answer(204, null);
            }

            if (!LimitsOf(region).Deletes.TryTake(out var wait))
            {
                http.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
                return Answer(429, Error("TooManyRequests", "The request is being throttled."));
            }

            group.GoneAt ??= Now + Deleting;
            Operation(http, group, deletes: true);
            return Answer(202, null);
        }
    }

    private Task<(int Status, JsonNode? Body)> GetAsync(HttpContext http, string resourceGroup, string name)
    {
        _ = http;
        lock (_gate)
        {
            Expire();
            return _groups.TryGetValue($"{resourceGroup}/{name}", out var group)
                ? Answer(200, WithInstanceView(group))
                : Answer(404, Error("ResourceNotFound", name));
        }
    }

    private Task<(int Status, JsonNode? Body)> ListAsync(HttpContext http, string resourceGroup)
    {
        var from = http.Request.Query.TryGetValue("$skip", out var skip) ? int.Parse(skip!, CultureInfo.InvariantCulture) : 0;
        lock (_gate)
        {
            Expire();
            var seen = Now - ListLag;
            var groups = _groups.Values.Concat(_deleted.Where(d => d.At > seen).Select(d => d.Group))
                .Where(g => g.ResourceGroup == resourceGroup && g.CreatedAt <= seen)
                .OrderBy(g => g.Name, StringComparer.Ordinal)
                .ToList();
            var body = new JsonObject { ["value"] = new JsonArray([.. groups.Skip(from).Take(PageSize).Select(Describe)]) };
            if (from + PageSize < groups.Count)
            {
                body["nextLink"] = $"https://{http.Request.Host}{http.Request.Path}?api-version=1&$skip={from + PageSize}";
            }

            return Answer(200, body);
        }
    }

    private static Task<(int Status, JsonNode? Body)> Answer(int status, JsonNode? body) => Task.FromResult((status, body));

    private void Operation(HttpContext http, FakeGroup group, bool deletes)
    {
        var id = (++_lastOperation).ToString(CultureInfo.InvariantCulture);
        _operations.Add(id, (group, deletes));
        http.Response.Headers["Azure-AsyncOperation"] = $"https://{http.Request.Host}/operations/{id}?api-version=1";
        http.Response.Headers.Location = $"https://{http.Request.Host}/operations/{id}?api-version=1";
        http.Response.Headers.RetryAfter = PollRetryAfter.ToString(CultureInfo.InvariantCulture);
    }

    private (TokenBuckets Creates, TokenBuckets Deletes) LimitsOf(string region)
    {
        if (!_limits.TryGetValue(region, out var limits))
        {
            limits = (new TokenBuckets(Limits, _time), new TokenBuckets(Limits, _time));
            _limits.Add(region, limits);
        }

        return limits;
    }

    private JsonObject Describe(FakeGroup group)
    {
        var state = group.StateAt(Now);
        var properties = (group.Body["properties"]?.DeepClone() ?? new JsonObject()).AsObject();
        properties["provisioningState"] = state;
        if (state == "Succeeded")
        {
            (properties["ipAddress"] ??= new JsonObject()).AsObject()["ip"] = group.Address;
        }

        return new JsonObject
        {
            ["id"] = $"/subscriptions/{Subscription}/resourceGroups/{group.ResourceGroup}/providers/Microsoft.ContainerInstance/containerGroups/{group.Name}",
            ["name"] = group.Name,
            ["type"] = "Microsoft.ContainerInstance/containerGroups",
            ["location"] = group.Region,
            ["tags"] = group.Body["tags"]?.DeepClone() ?? new JsonObject(),
            ["properties"] = properties,
        };
    }

    /// <summary>What is asked for by name shows how its containers are; lists do not, as Azure's do not.</summary>
    private JsonObject WithInstanceView(FakeGroup group)
    {
        var described = Describe(group);
        if (group.StateAt(Now) == "Succeeded")
        {
            var properties = described["properties"]!.AsObject();
            properties["instanceView"] = new JsonObject { ["state"] = group.ExitCode is null ? "Running" : group.ExitCode == 0 ? "Succeeded" : "Failed" };
            foreach (var container in properties["containers"]?.AsArray() ?? [])
            {
                container!["properties"]!["instanceView"] = new JsonObject
                {
                    ["restartCount"] = 0,
                    ["currentState"] = group.ExitCode is { } code
                        ? new JsonObject { ["state"] = "Terminated", ["exitCode"] = code, ["detailStatus"] = code == 0 ? "Completed" : "Error" }
                        : new JsonObject { ["state"] = "Running", ["detailStatus"] = "" },
                };
            }
        }

        return described;
    }

    /// <summary>What is wrong with a group; null when nothing is.</summary>
    private static string? Refusal(JsonObject body, string region, string name)
    {
        if (name.Length > 63 || !GroupName().IsMatch(name))
        {
            return $"The container group name '{name}' is invalid.";
        }

        if (body["location"]?.GetValue<string>() != region)
        {
            return $"The location {body["location"]} is not the resource group's, {region}.";
        }

        if (body["tags"] is JsonObject tags && (tags.Count > 50 || tags.Any(t => t.Key.IndexOfAny(['<', '>', '%', '&', '\\', '?', '/']) >= 0 || t.Value!.GetValue<string>().Length > 256)))
        {
            return "The tags are invalid.";
        }

        var properties = body["properties"]?.AsObject();
        if (properties?["standbyPoolProfile"] is not null)
        {
            return null;
        }

        if (properties?["priority"]?.GetValue<string>() == "Spot" && properties["ipAddress"] is not null)
        {
            return "Spot Priority is not supported for container groups with inbound connectivity.";
        }

        if (properties?["containers"] is not JsonArray { Count: 1 } containers || properties["osType"]?.GetValue<string>() != "Linux")
        {
            return "The container group has no containers or no osType.";
        }

        var container = containers[0]!["properties"]!;
        var memory = container["resources"]!["requests"]!["memoryInGB"]!.GetValue<double>();
        var cpu = container["resources"]!["requests"]!["cpu"]!.GetValue<double>();
        return string.IsNullOrEmpty(container["image"]?.GetValue<string>()) ? "The image is missing."
            : Math.Abs((memory * 10) - Math.Round(memory * 10)) > 1e-6 || memory is <= 0 or > 16 ? $"The memory {memory} GB is invalid: 0.1 GB steps, at most 16."
            : cpu is <= 0 or > 4 ? $"The cpu {cpu} is invalid."
            : null;
    }

    [GeneratedRegex("^/subscriptions/(?<sub>[^/]+)/resourceGroups/(?<rg>[^/]+)/providers/Microsoft.ContainerInstance/containerGroups(/(?<name>[^/]+))?$", RegexOptions.IgnoreCase)]
    private static partial Regex GroupPath();

    [GeneratedRegex("^[a-z0-9]([a-z0-9]|-(?=[a-z0-9]))*$")]
    private static partial Regex GroupName();
}
