using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// Azure Resource Manager for container groups, in memory: long-running operations, limits, and a list that lags. It refuses what Azure refuses.
/// Safe for concurrent use.
/// </summary>
/// <param name="time">Its clock.</param>
internal partial class SimulatedArm(TimeProvider time)
{
    public const string Subscription = "00000000-0000-0000-0000-000000000001";

    /// <summary>What the paths of long-running operations begin with.</summary>
    public const string Operations = "/operations/";

    private readonly Lock _gate = new();
    private readonly long _origin = time.GetTimestamp();
    private readonly Dictionary<string, ArmGroup> _groups = [];
    private readonly List<(ArmGroup Group, TimeSpan At)> _deleted = [];
    private readonly Dictionary<string, (ArmGroup Group, bool Deletes)> _operations = [];
    private readonly Dictionary<string, (TokenBuckets Creates, TokenBuckets Deletes)> _limits = [];
    private int _lastAddress;
    private int _lastOperation;

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

    /// <summary>Time since the start.</summary>
    public TimeSpan Now => time.GetElapsedTime(_origin);

    /// <summary>The groups that exist.</summary>
    public IReadOnlyList<ArmGroup> Groups
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

    /// <summary>Puts somebody's group there.</summary>
    public void Plant(string resourceGroup, string name, params (string Name, string Value)[] tags)
    {
        lock (_gate)
        {
            var body = new JsonObject { ["tags"] = new JsonObject(tags.Select(t => KeyValuePair.Create<string, JsonNode?>(t.Name, t.Value))), ["properties"] = new JsonObject() };
            var group = new ArmGroup(resourceGroup, name, ResourceGroups[resourceGroup], NextAddress(), body) { CreatedAt = Now, ReadyAt = Now };
            _groups.Add(group.Id, group);
        }
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

    /// <summary>The group whose container listens at an address; null where nothing does.</summary>
    public ArmGroup? FindByAddress(string address)
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

    /// <summary>Answers a call.</summary>
    /// <param name="method">GET, PUT or DELETE.</param>
    /// <param name="uri">What is called.</param>
    /// <param name="body">What is sent.</param>
    /// <param name="provisioning">For PUT: how long provisioning takes; infinite for one that is stuck. Null for <see cref="Provisioning"/>.</param>
    /// <param name="provisioningError">For PUT: the code that provisioning fails with; null for success.</param>
    public ArmReply Answer(string method, Uri uri, string body, TimeSpan? provisioning = null, string? provisioningError = null)
    {
        var path = Uri.UnescapeDataString(uri.AbsolutePath);
        if (HttpUtility.ParseQueryString(uri.Query)["api-version"] is null)
        {
            return new ArmReply(400, Error("MissingApiVersionParameter", "api-version is missing"));
        }

        if (path.StartsWith(Operations, StringComparison.Ordinal))
        {
            return Poll(path[Operations.Length..]);
        }

        var match = GroupPath().Match(path);
        if (!match.Success || match.Groups["sub"].Value != Subscription)
        {
            return new ArmReply(404, Error("InvalidResourceType", path));
        }

        var resourceGroup = match.Groups["rg"].Value;
        if (!ResourceGroups.TryGetValue(resourceGroup, out var region))
        {
            return new ArmReply(404, Error("ResourceGroupNotFound", $"Resource group '{resourceGroup}' could not be found."));
        }

        var name = match.Groups["name"].Value;
        return (method, name.Length > 0) switch
        {
            ("GET", false) => List(uri, resourceGroup),
            ("GET", true) => Get(resourceGroup, name),
            ("PUT", true) => Put(uri, resourceGroup, region, name, body, provisioning, provisioningError),
            ("DELETE", true) => Delete(uri, resourceGroup, region, name),
            _ => new ArmReply(405, Error("MethodNotAllowed", method)),
        };
    }

    /// <summary>An error as Azure writes it.</summary>
    public static JsonObject Error(string code, string message) =>
        new() { ["error"] = new JsonObject { ["code"] = code, ["message"] = message } };

    private ArmReply Poll(string id)
    {
        lock (_gate)
        {
            Expire();
            if (!_operations.TryGetValue(id, out var operation))
            {
                return new ArmReply(404, Error("NotFound", id));
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
            var body = code.Length > 0 ? Error(code, $"provisioning ended in {code}") : [];
            body["status"] = status;
            return new ArmReply(200, body) { RetryAfter = status == "InProgress" ? PollRetryAfter : null };
        }
    }

    private ArmReply Put(Uri uri, string resourceGroup, string region, string name, string text, TimeSpan? provisioning, string? provisioningError)
    {
        var body = JsonNode.Parse(text)!.AsObject();
        if (Refusal(body, region, name) is { } refusal)
        {
            return new ArmReply(400, Error("InvalidRequestContent", refusal));
        }

        lock (_gate)
        {
            Expire();
            if (_groups.TryGetValue($"{resourceGroup}/{name}", out var there))
            {
                return there.StateAt(Now) == "Succeeded"
                    ? new ArmReply(200, Describe(there))
                    : new ArmReply(409, Error("ContainerGroupTransitioning", $"The container group '{name}' is still transitioning, please retry later."));
            }

            if (_groups.Values.Count(g => g.Region == region) >= MaxGroupsPerRegion)
            {
                return new ArmReply(409, Error("ContainerGroupQuotaReached", $"Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'ContainerGroups' exceeded in region '{region}'."));
            }

            if (!LimitsOf(region).Creates.TryTake(out var wait))
            {
                Throttled++;
                return TooMany(wait);
            }

            var takes = provisioning ?? Provisioning;
            var group = new ArmGroup(resourceGroup, name, region, NextAddress(), body)
            {
                CreatedAt = Now,
                ReadyAt = takes == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : Now + takes,
                ProvisioningError = provisioningError,
            };
            _groups.Add(group.Id, group);
            Created++;
            return Operation(uri, group, deletes: false, new ArmReply(201, Describe(group)));
        }
    }

    private ArmReply Delete(Uri uri, string resourceGroup, string region, string name)
    {
        lock (_gate)
        {
            Expire();
            if (!_groups.TryGetValue($"{resourceGroup}/{name}", out var group))
            {
                return new ArmReply(204, null);
            }

            if (!LimitsOf(region).Deletes.TryTake(out var wait))
            {
                return TooMany(wait);
            }

            group.GoneAt ??= Now + Deleting;
            return Operation(uri, group, deletes: true, new ArmReply(202, null));
        }
    }

    private ArmReply Get(string resourceGroup, string name)
    {
        lock (_gate)
        {
            Expire();
            return _groups.TryGetValue($"{resourceGroup}/{name}", out var group)
                ? new ArmReply(200, WithInstanceView(group))
                : new ArmReply(404, Error("ResourceNotFound", name));
        }
    }

    private ArmReply List(Uri uri, string resourceGroup)
    {
        var from = HttpUtility.ParseQueryString(uri.Query)["$skip"] is { } skip ? int.Parse(skip, CultureInfo.InvariantCulture) : 0;
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
                body["nextLink"] = $"https://{uri.Authority}{uri.AbsolutePath}?api-version=1&$skip={from + PageSize}";
            }

            return new ArmReply(200, body);
        }
    }

    private ArmReply Operation(Uri uri, ArmGroup group, bool deletes, ArmReply reply)
    {
        var id = (++_lastOperation).ToString(CultureInfo.InvariantCulture);
        _operations.Add(id, (group, deletes));
        return reply with { Operation = $"https://{uri.Authority}/operations/{id}?api-version=1", RetryAfter = PollRetryAfter };
    }

    private static ArmReply TooMany(TimeSpan wait) =>
        new(429, Error("TooManyRequests", "The request is being throttled.")) { RetryAfter = (int)Math.Ceiling(wait.TotalSeconds) };

    private (TokenBuckets Creates, TokenBuckets Deletes) LimitsOf(string region)
    {
        if (!_limits.TryGetValue(region, out var limits))
        {
            limits = (new TokenBuckets(Limits, time), new TokenBuckets(Limits, time));
            _limits.Add(region, limits);
        }

        return limits;
    }

    private JsonObject Describe(ArmGroup group)
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
    private JsonObject WithInstanceView(ArmGroup group)
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

/// <summary>An answer of Resource Manager.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">What is sent; null for nothing.</param>
internal sealed record ArmReply(int Status, JsonNode? Body)
{
    /// <summary>The Retry-After header, s; null for none.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>Where the operation is looked at that this has begun; null for none.</summary>
    public string? Operation { get; init; }

    /// <summary>The headers beside the body's.</summary>
    public IEnumerable<(string Name, string Value)> Headers
    {
        get
        {
            if (RetryAfter is { } seconds)
            {
                yield return ("Retry-After", seconds.ToString(CultureInfo.InvariantCulture));
            }

            if (Operation is { } operation)
            {
                yield return ("Azure-AsyncOperation", operation);
                yield return ("Location", operation);
            }
        }
    }
}
