/**
 * Tabs of one browser share few connections: six to a server, over HTTP/1.1, and each stream holds
 * one. Seven open tabs would block one another for good.
 *
 * So a tab that is hidden gives up its stream as soon as another one takes over, and comes back
 * from its cursor when it is seen again: it misses nothing, only later. One hidden tab goes on, so
 * that the count of unread messages in its title does.
 */
const CHANNEL = 'tidings.tabs';
const TAKE_OVER_MS = 1_500;

/** `rest` and `resume` close and open the stream; `resume` is called only after `rest`. */
export function shareConnections(rest, resume) {
    const channel = new BroadcastChannel(CHANNEL);
    let resting = false;
    let timer = null;

    function takeOver() {
        clearTimeout(timer);
        channel.postMessage('mine');
        if (resting) {
            resting = false;
            resume();
        }
    }

    channel.onmessage = ({ data }) => {
        clearTimeout(timer);
        if (data === 'mine' && document.hidden && !resting) {
            resting = true;
            rest();
        } else if (data === 'left' && resting) {
            timer = setTimeout(takeOver, TAKE_OVER_MS * Math.random());
        }
    };
    document.addEventListener('visibilitychange', () => {
        if (!document.hidden) {
            takeOver();
        }
    });
    addEventListener('pagehide', () => channel.postMessage('left'));
    if (!document.hidden) {
        takeOver();
    }
}
