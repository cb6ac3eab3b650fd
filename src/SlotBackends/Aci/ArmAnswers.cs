using System.Globalization;
using System.Text.Json;
using Azure;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>What Azure Resource Manager's answers mean for a slot.</summary>
internal static class ArmAnswers
{
    /// <summary>The longest pause that is kept to, whatever the platform asks for: its limits are refilled within the hour.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>How long the platform asks to wait, at most an hour; null when it does not say.</summary>
    public static TimeSpan? RetryAfter(Response? response)
    {
        if (response is null)
        {
            return null;
        }

        foreach (var header in (ReadOnlySpan<string>)["retry-after-ms", "x-ms-retry-after-ms"])
        {
            if (response.Headers.TryGetValue(header, out var ms) && double.TryParse(ms, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= 0)
            {
                return TimeSpan.FromMilliseconds(Math.Min(value, LongestPause.TotalMilliseconds));
            }
        }

        return response.Headers.TryGetValue("Retry-After", out var text)
            && double.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(Math.Min(seconds, LongestPause.TotalSeconds))
            : null;
    }

    /// <summary>Asks something; an answer that is not of the shape that it should have is a failure like any other.</summary>
    /// <exception cref="RequestFailedException">The call has failed, or its answer cannot be read.</exception>
    public static async Task<T> ReadAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask().ConfigureAwait(false);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new RequestFailedException(502, $"the answer cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Whether trying again at once may help: nothing answered, or the platform had a bad moment.</summary>
    public static bool IsPassing(RequestFailedException e) => e.Status is 0 or 408 or >= 500;

    public static bool IsThrottled(RequestFailedException e) => e.Status == 429;

    /// <summary>The region has no room left for the subscription, or none at all; another region may.</summary>
    public static bool IsFull(RequestFailedException e) =>
        (e.ErrorCode?.Contains("Quota", StringComparison.OrdinalIgnoreCase) ?? false)
        || (e.Status is 409 or 503 or 200 && e.ErrorCode is "ServiceUnavailable" or "InsufficientCapacity" or "ContainerGroupCapacityUnavailable");

    /// <summary>The group is in the middle of a change that has to end first.</summary>
    public static bool IsChanging(RequestFailedException e) => e.Status == 409 && !IsFull(e);

    /// <summary>What a failed call means.</summary>
    /// <param name="call">What was tried, for the message.</param>
    /// <param name="e">The answer.</param>
    /// <param name="begun">Whether the platform had taken the request on before.</param>
    public static SlotBackendException Translate(string call, RequestFailedException e, bool begun)
    {
        // The exception's own message goes on for a page, with all headers.
        var words = RemoteWords.Clean(e.Message.Split('\n')[0]);
        var text = $"{call} failed: {(e.Status == 0 ? "no answer" : e.Status.ToString(CultureInfo.InvariantCulture))}{(e.ErrorCode is null ? "" : " " + RemoteWords.Clean(e.ErrorCode, 100))}: {words}";
        return e.Status switch
        {
            429 => new(new SlotFailure(FailureKind.Throttled, text, RetryAfterUs(e)), e),
            _ when IsFull(e) => new(new SlotFailure(FailureKind.Throttled, text, OutcomeUnknown: begun), e),
            0 => new(new SlotFailure(FailureKind.Transient, text, OutcomeUnknown: true), e) { PlatformUnreachable = true },
            401 or 403 => new(new SlotFailure(FailureKind.Permanent, text + " (the scaler's identity needs the role 'Azure Container Instances Contributor' on the resource group)", OutcomeUnknown: begun), e),
            409 or 408 or >= 500 => new(new SlotFailure(FailureKind.Transient, text, RetryAfterUs(e), OutcomeUnknown: true), e),
            _ => new(new SlotFailure(FailureKind.Permanent, text, OutcomeUnknown: begun), e),
        };
    }

    private static long RetryAfterUs(RequestFailedException e) => (long)(RetryAfter(e.GetRawResponse())?.TotalMicroseconds ?? 0);
}
