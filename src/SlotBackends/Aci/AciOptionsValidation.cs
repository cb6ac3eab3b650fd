using System.Text.RegularExpressions;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Http;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Finds what is wrong with <see cref="AciOptions"/> before Azure is asked.</summary>
public static partial class AciOptionsValidation
{
    /// <summary>A sentence for each thing that is wrong, naming the setting as it is written in JSON; empty when all is well.</summary>
    public static IReadOnlyList<string> Check(AciOptions options)
    {
        var errors = new SettingErrors();
        errors.Require(Guid.TryParse(options.Subscription, out _), "subscription", options.Subscription, "is no subscription id", "write the GUID that 'az account show' prints as id");
        errors.Require(OwnerName().IsMatch(options.Owner), "owner", options.Owner, "cannot begin a container group's name", "use 1 to 30 of a-z, 0-9 and single hyphens, beginning with a letter and not ending in a hyphen");
        errors.Require(options.Run is null || (options.Run.Length is > 0 and <= 8 && options.Run.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))), "run", options.Run, "cannot stand in a container group's name", "use 1 to 8 of a-z and 0-9, or leave it out");
        CheckPlaces(options, errors);
        CheckImages(options, errors);
        options.Start.Check(errors, "start");
        errors.Range("port", options.Port, 1, 65535);
        errors.Range("cpuPerGb", options.CpuPerGb, 0.001, 16);
        errors.Range("maxCores", options.MaxCores, 0.1, 64);
        errors.Range("maxMemoryGb", options.MaxMemoryGb, 0.1, 512);
        errors.Range("maxGroupsPerRegion", options.MaxGroupsPerRegion, 1, 100_000);
        errors.Range("maxCoresPerRegion", options.MaxCoresPerRegion, 1, 1_000_000);
        errors.Range("containerGroupProfileRevision", options.ContainerGroupProfileRevision, 1, int.MaxValue);
        CheckLimits(options.CreateLimits, "createLimits", errors);
        CheckLimits(options.DeleteLimits, "deleteLimits", errors);
        CheckIds(options, errors);
        CheckTags(options, errors);
        CheckTimes(options, errors);
        errors.Require(options.ArmEndpoint is not { } arm || (arm.IsAbsoluteUri && (arm.Scheme == "https" || (arm.Scheme == "http" && arm.IsLoopback))), "armEndpoint", options.ArmEndpoint?.OriginalString, "is no address of Resource Manager", "write one that begins with https://; plain http is for a stand-in on this machine");
        return errors.Sentences;
    }

    private static void CheckPlaces(AciOptions options, SettingErrors errors)
    {
        if (options.Places.Count == 0)
        {
            errors.Add("places is empty: name at least one, as {\"resourceGroup\": \"my-slots\", \"region\": \"westeurope\"}.");
        }

        for (var i = 0; i < options.Places.Count; i++)
        {
            var place = options.Places[i];
            errors.Require(place.ResourceGroup is { Length: > 0 and <= 90 } && ResourceGroupName().IsMatch(place.ResourceGroup), $"places[{i}].resourceGroup", place.ResourceGroup, "is no resource group's name", "write 1 to 90 letters, digits and -_.() with no dot at the end");
            errors.Require(RegionName().IsMatch(place.Region ?? ""), $"places[{i}].region", place.Region, "is no region's name", "write it as Azure does, for example westeurope");
            if (options.Places.Take(i).Contains(place))
            {
                errors.Add($"places[{i}] names the same resource group and region as another one: leave one of them out.");
            }
        }
    }

    private static void CheckImages(AciOptions options, SettingErrors errors)
    {
        if (options.Images.Count == 0 && !HasStandbyPool(options))
        {
            errors.Add("images is empty: name an image for each runtime, or one for '*', every other one.");
        }

        foreach (var (runtime, image) in options.Images)
        {
            errors.Require(!string.IsNullOrWhiteSpace(image), $"images.{runtime}", image, "is no image", "write it as registry/name:tag");
        }
    }

    private static void CheckLimits(IReadOnlyList<RateLimit> limits, string where, SettingErrors errors)
    {
        for (var i = 0; i < limits.Count; i++)
        {
            errors.Range($"{where}[{i}].calls", limits[i].Calls, 1, 1_000_000);
            errors.Range($"{where}[{i}].per", limits[i].Per, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1));
        }
    }

    private static void CheckIds(AciOptions options, SettingErrors errors)
    {
        foreach (var (where, id) in (IEnumerable<(string, string)>)
            [
                ("subnetId", options.SubnetId), ("registryIdentityId", options.RegistryIdentityId), ("standbyPoolId", options.StandbyPoolId),
                ("containerGroupProfileId", options.ContainerGroupProfileId), .. options.IdentityIds.Select((id, i) => ($"identityIds[{i}]", id)),
            ])
        {
            errors.Require(id.Length == 0 || id.StartsWith("/subscriptions/", StringComparison.OrdinalIgnoreCase), where, id, "is no resource id", "write it in full, from /subscriptions/ on");
        }

        Together("registryServer", options.RegistryServer, "registryIdentityId", options.RegistryIdentityId);
        Together("logWorkspaceId", options.LogWorkspaceId, "logWorkspaceKey", options.LogWorkspaceKey);
        Together("standbyPoolId", options.StandbyPoolId, "containerGroupProfileId", options.ContainerGroupProfileId);
        if (options.Spot && !(options.Start is { Init: InitMode.None, HealthPath: "" } && options.SubnetId.Length == 0))
        {
            errors.Add("spot is true, and Azure gives Spot groups no inbound connectivity: leave start.healthPath and subnetId out, and start.init as 'none'.");
        }

        void Together(string one, string first, string other, string second)
        {
            if (first.Length > 0 != second.Length > 0)
            {
                errors.Add($"{one} and {other} go together: give both or neither.");
            }
        }
    }

    private static void CheckTags(AciOptions options, SettingErrors errors)
    {
        foreach (var (name, value) in options.Tags)
        {
            errors.Require(!name.StartsWith(AciTags.Prefix, StringComparison.OrdinalIgnoreCase), "tags", name, "is one of the scaler's own", $"begin a tag with something else than {AciTags.Prefix}");
            errors.Require(name.Length is > 0 and <= 512 && name.IndexOfAny(['<', '>', '%', '&', '\\', '?', '/']) < 0, "tags", name, "is no tag's name", "use 1 to 512 characters without < > % & \\ ? /");
            errors.Require(value.Length <= 256, $"tags.{name}", value, "is too long", "use at most 256 characters");
        }
    }

    private static void CheckTimes(AciOptions options, SettingErrors errors)
    {
        var (shortest, day) = (TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1));
        errors.Range("sweepInterval", options.SweepInterval, shortest, day);
        errors.Range("orphanGrace", options.OrphanGrace, TimeSpan.Zero, day);
        errors.Range("provisionTimeout", options.ProvisionTimeout, shortest, TimeSpan.FromHours(2));
        errors.Range("deleteTimeout", options.DeleteTimeout, shortest, TimeSpan.FromHours(2));
        errors.Range("pollDelay", options.PollDelay, shortest, TimeSpan.FromMinutes(1));
        errors.Range("fullPause", options.FullPause, TimeSpan.Zero, TimeSpan.FromHours(1));
        errors.Range("retryDelay", options.RetryDelay, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        errors.Range("maxRetries", options.MaxRetries, 0, 20);
    }

    internal static bool HasStandbyPool(AciOptions options) => options.StandbyPoolId.Length > 0;

    [GeneratedRegex("^(?=.{1,30}$)[a-z]([a-z0-9]|-(?=[a-z0-9]))*$")]
    private static partial Regex OwnerName();

    [GeneratedRegex(@"^[\w\-.()]*[\w\-()]$")]
    private static partial Regex ResourceGroupName();

    [GeneratedRegex("^[a-z0-9]+$")]
    private static partial Regex RegionName();
}
